# SPDX-License-Identifier: Apache-2.0
"""How a check of a plugin looks on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from axoneme.cli.rows import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.cli.rows import Columns, Row

_STAGES: Columns = {
    "STAGE": "name",
    "LANES ALONE": lambda row: ", ".join(row["alone"]),
    "WITH ALL": lambda row: ", ".join(row["with_all"]),
    "STACK": lambda row: f"{row['stack']} B",
    "HELPERS": lambda row: ", ".join(row["helpers"]),
}

_PROGRAMS: Columns = {"PROGRAM": "name", "ATTACHED TO": "attach", "INSTRUCTIONS": "instructions"}

_MAPS: Columns = {
    "MAP": "name",
    "TYPE": "type",
    "KEY": lambda row: f"{row['key']} B",
    "VALUE": lambda row: f"{row['value']} B",
    "ENTRIES": "entries",
    "LAYOUT": lambda row: f"{row['layout']}, {row['hash']}" if row["hash"] else "no codec",
}

_REASONS: Columns = {"REASON": "name", "BYTES": "size", "MEANING": "text"}

_KNOBS: Columns = {"KNOB": "name", "BYTES": "size", "MEANING": "text"}

_TRUNKS: Columns = {
    "TRUNK": "name",
    "CORE": "core",
    "ALONE": lambda row: _with_difference(row["alone"], row["core"]),
    "THE OTHERS": "others",
    "WITH ALL": lambda row: _with_difference(row["with_all"], row["others"]),
}


def check_view(report: dict[str, Any]) -> Iterator[str]:
    """Everything, problems last: that is where a terminal ends."""
    name, others = report["plugin"], ", ".join(report["others"])
    if report["distribution"]:
        name += f" ({report['distribution']})"
    yield f"{name} on kernel {report['kernel']}" + (f", beside {others}" if others else "")
    for one in report["objects"]:
        yield from _part(f"{one['name']}, by {one['loader']}", _object(one))
    if report["trunks"]:
        yield from _part("instructions processed", table(report["trunks"], _TRUNKS))
    yield ""
    for problem in report["problems"]:
        yield click.style(f"wrong: {problem}", fg="red")
    if not report["problems"]:
        yield click.style("nothing is wrong", fg="green")


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield ""
    yield click.style(title, bold=True)
    yield from (f"  {line}" for line in lines)


def _object(one: Row) -> Iterator[str]:
    for key, columns in (("stages", _STAGES), ("programs", _PROGRAMS), ("maps", _MAPS)):
        if one[key]:
            yield from table(one[key], columns)
    if one["borrowed"]:
        yield f"core's maps: {', '.join(one['borrowed'])}"
    for key, columns in (("reasons", _REASONS), ("knobs", _KNOBS)):
        if one[key]:
            yield from table(one[key], columns)


def _with_difference(count: int | None, before: int | None) -> str:
    return "-" if count is None else f"{count} ({count - (before or 0):+})"
