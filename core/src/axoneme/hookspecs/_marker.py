# SPDX-License-Identifier: Apache-2.0
"""The markers of hooks: of core's specifications, and of plugins' implementations."""

from __future__ import annotations

from typing import Final

from pluggy import HookimplMarker, HookspecMarker

PROJECT: Final = "axoneme"

hookspec = HookspecMarker(PROJECT)
#: Marks a plugin's function as the implementation of the hook whose name it has.
hookimpl = HookimplMarker(PROJECT)
