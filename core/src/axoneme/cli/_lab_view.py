# SPDX-License-Identifier: Apache-2.0
"""How a lab looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape

from axoneme.cli.views import new_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table


def lab_view(lab: dict[str, Any]) -> RenderableType:
    """Nodes, pods, and problems last."""
    plugins = " ".join(lab["plugins"]) or "no plugins"
    head = f"lab {lab['name']}: {lab['routing-mode']} routing, {plugins}, {lab['directory']}"
    outside = f"outside: {' '.join(lab['outside']['addresses'])}"
    problems = [
        f"[red]problem[/] {node['name']}: {escape(text)}"
        for node in lab["nodes"]
        for text in node["problems"]
    ]
    return Group(head, _nodes(lab["nodes"]), _pods(lab["pods"]), outside, *problems)


def _nodes(nodes: Sequence[dict[str, Any]]) -> Table:
    table = new_table("Nodes", "NAME", "AGENT", "ENDPOINTS", "ADDRESSES")
    for node in nodes:
        agent = f"[green]{node['pid']}[/]" if node["pid"] else "[red]none[/]"
        endpoints = "" if node["endpoints"] is None else str(node["endpoints"])
        table.add_row(node["name"], agent, endpoints, " ".join(node["addresses"]))
    return table


def _pods(pods: Sequence[dict[str, Any]]) -> Table:
    table = new_table("Pods", "NAMESPACE", "NAME", "NODE", "ADDRESSES", "LABELS")
    for pod in pods:
        labels = " ".join(f"{key}={value}" for key, value in pod["labels"].items())
        addresses = " ".join(pod["addresses"])
        table.add_row(pod["namespace"], pod["name"], pod["node"], addresses, escape(labels))
    return table
