# SPDX-License-Identifier: Apache-2.0
"""The test kit: nodes, pods and packets, for core's own tests and those of plugins.

A name is imported when it is first used: pytest loads this package in every run, and netlink
alone would add a tenth of a second to each.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from axoneme.testing._timeouts import scaled
    from axoneme.testing._traffic import Server
    from axoneme.testing._worker import KitError, Worker
    from axoneme.testing.namespaces import Place
    from axoneme.testing.nodes import Node, join
    from axoneme.testing.objects import compile_text, fake_plugin, plugin_codec, plugin_object
    from axoneme.testing.packets import Case, Packet, dissect
    from axoneme.testing.pods import Pod

_HOMES = {
    "Case": "packets",
    "KitError": "_worker",
    "Node": "nodes",
    "Packet": "packets",
    "Place": "namespaces",
    "Pod": "pods",
    "Server": "_traffic",
    "Worker": "_worker",
    "compile_text": "objects",
    "dissect": "packets",
    "fake_plugin": "objects",
    "join": "nodes",
    "plugin_codec": "objects",
    "plugin_object": "objects",
    "scaled": "_timeouts",
}

__all__ = [
    "Case",
    "KitError",
    "Node",
    "Packet",
    "Place",
    "Pod",
    "Server",
    "Worker",
    "compile_text",
    "dissect",
    "fake_plugin",
    "join",
    "plugin_codec",
    "plugin_object",
    "scaled",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
