# SPDX-License-Identifier: Apache-2.0
"""The marker of core's hook specifications."""

from __future__ import annotations

from typing import Final

from pluggy import HookspecMarker

PROJECT: Final = "axoneme"

hookspec = HookspecMarker(PROJECT)
