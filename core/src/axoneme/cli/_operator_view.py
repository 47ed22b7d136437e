# SPDX-License-Identifier: Apache-2.0
"""How an operator looks on a terminal, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from axoneme.cli.views import section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.cli.rows import Columns

_MOST_NODES = 10

_POOLS: Columns = {
    "POOL": lambda row: row["pool"] or "podCIDRs",
    "FAMILY": "family",
    "PARTS": "parts",
    "GIVEN": "given",
    "FREE": "free",
}


def operator_view(found: dict[str, Any]) -> Iterator[str]:
    """Who leads, pools, and problems last."""
    if not found["leading"]:
        yield f"operator {found['pid']} waits: {found['leader'] or 'nobody'} leads"
    else:
        plugin = f", planned by {found['plugin']}" if found["plugin"] else ""
        since = f"leads since {found['since']}"
        yield f"operator {found['pid']} {since}: {found['nodes']} nodes{plugin}"
        if found["pools"]:
            yield from section("Pools", found["pools"], _POOLS)
        yield from _unserved(found["unserved"])
    yield from _problems(found)


def _unserved(errors: dict[str, str]) -> Iterator[str]:
    for name, text in sorted(errors.items())[:_MOST_NODES]:
        yield f"{click.style('node', fg='red')} {name}: {text}"
    if len(errors) > _MOST_NODES:
        yield f"and {len(errors) - _MOST_NODES} more nodes"


def _problems(found: dict[str, Any]) -> Iterator[str]:
    for text in found["problems"]:
        yield f"{click.style('problem', fg='red')} {text}"
    for row in found["errors"]:
        if row["text"] not in found["problems"]:
            ago = click.style(f"{row['seconds']:.0f} s ago", fg="yellow")
            yield f"{ago} {row['text']}"
