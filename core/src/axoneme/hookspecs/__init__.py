# SPDX-License-Identifier: Apache-2.0
"""The Python hooks, by concern; a plugin answers those it needs with `@axoneme.hookimpl`.

Every hook is synchronous and quick, and the host calls one plugin at a time: what one plugin
raises never reaches another. An implementation names the arguments that it wants, and `config`
is always its own section. The order of a packet's stages is declared in the objects; here
plugins are called in the order of their names.
"""

from __future__ import annotations

from axoneme.hookspecs import datapath, endpoint, ipam, lifecycle, observe
from axoneme.hookspecs._marker import PROJECT, hookimpl, hookspec

SPECIFICATIONS = (lifecycle, datapath, endpoint, ipam, observe)

__all__ = ["PROJECT", "SPECIFICATIONS", "hookimpl", "hookspec"]
