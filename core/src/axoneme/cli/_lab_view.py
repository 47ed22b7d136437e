# SPDX-License-Identifier: Apache-2.0
"""How a lab looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from axoneme.cli.views import section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.cli.rows import Columns, Row

_NODES: Columns = {
    "NAME": "name",
    "AGENT": lambda row: str(row["pid"] or "none"),
    "ENDPOINTS": "endpoints",
    "ADDRESSES": lambda row: " ".join(row["addresses"]),
}

_OPERATORS: Columns = {
    "NAME": "name",
    "PROCESS": lambda row: str(row["pid"] or "none"),
    "LEADS": lambda row: "yes" if row["leading"] else "",
}

_PODS: Columns = {
    "NAMESPACE": "namespace",
    "NAME": "name",
    "NODE": "node",
    "ADDRESSES": lambda row: " ".join(row["addresses"]),
    "LABELS": lambda row: " ".join(f"{key}={value}" for key, value in row["labels"].items()),
}


def lab_view(lab: dict[str, Any]) -> Iterator[str]:
    """Nodes, operators, pods, and problems last."""
    plugins = " ".join(lab["plugins"]) or "no plugins"
    yield f"lab {lab['name']}: {lab['routing-mode']} routing, {plugins}, {lab['directory']}"
    yield f"outside: {' '.join(lab['outside']['addresses'])}"
    yield from section("Nodes", lab["nodes"], _NODES, {"AGENT": _process_ink})
    yield from section("Operators", lab["operators"], _OPERATORS, {"PROCESS": _process_ink})
    yield from section("Pods", lab["pods"], _PODS)
    for row in (*lab["nodes"], *lab["operators"]):
        for text in row["problems"]:
            yield f"{click.style('problem', fg='red')} {row['name']}: {text}"


def _process_ink(row: Row, text: str) -> str:
    return click.style(text, fg="green" if row["pid"] else "red")
