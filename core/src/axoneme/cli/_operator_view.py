# SPDX-License-Identifier: Apache-2.0
"""How an operator looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape

from axoneme.cli.views import new_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

_MOST_NODES = 10


def operator_view(found: dict[str, Any]) -> RenderableType:
    """Who leads, pools, and problems last."""
    if not found["leading"]:
        leader = escape(found["leader"] or "nobody")
        return Group(f"operator {found['pid']} waits: {leader} leads", *_problems(found))
    head = f"operator {found['pid']} leads since {found['since']}: {found['nodes']} nodes"
    plugin = f", planned by {found['plugin']}" if found["plugin"] else ""
    parts = [_pools(found["pools"])] if found["pools"] else []
    return Group(escape(head + plugin), *parts, *_unserved(found), *_problems(found))


def _pools(pools: Sequence[dict[str, Any]]) -> Table:
    table = new_table("Pools", "POOL", "FAMILY", "PARTS", "GIVEN", "FREE")
    for row in pools:
        numbers = (str(row[key]) for key in ("parts", "given", "free"))
        table.add_row(escape(row["pool"] or "podCIDRs"), row["family"], *numbers)
    return table


def _unserved(found: dict[str, Any]) -> list[str]:
    rows = sorted(found["unserved"].items())
    lines = [f"[red]node[/] {name}: {escape(text)}" for name, text in rows[:_MOST_NODES]]
    more = len(rows) - len(lines)
    return [*lines, f"and {more} more nodes"] if more > 0 else lines


def _problems(found: dict[str, Any]) -> list[str]:
    standing = found["problems"]
    lately = (row for row in found["errors"] if row["text"] not in standing)
    return [
        *(f"[red]problem[/] {escape(text)}" for text in standing),
        *(f"[dim]{row['seconds']:.0f} s ago[/] {escape(row['text'])}" for row in lately),
    ]
