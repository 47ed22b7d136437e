# SPDX-License-Identifier: Apache-2.0
"""The plugin host: finds plugins, vets them, calls their hooks and keeps their faults apart.

A configuration says which plugins are on:

    host = PluginHost()
    host.reconfigure(read_config(Path("axoneme.toml"), host))
    objects = host.hooks.axoneme_objects()

Every plugin has a state with a reason, and no fault of one plugin reaches another.
"""

from __future__ import annotations

from axoneme.host._discovery import GROUP, entry_points
from axoneme.host._manager import PluginHost
from axoneme.host._relay import Hooks
from axoneme.host._states import Change, PluginState, Rejected, Status

__all__ = [
    "GROUP",
    "Change",
    "Hooks",
    "PluginHost",
    "PluginState",
    "Rejected",
    "Status",
    "entry_points",
]
