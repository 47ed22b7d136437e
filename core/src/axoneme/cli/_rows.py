# SPDX-License-Identifier: Apache-2.0
"""Rows of plain values as a table or as JSON, printed as they come: there may be a million.

A table is for eyes, grep and awk: a line a row, and never folded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Row: TypeAlias = dict[str, Any]
#: By their headers: a key of the row, or a function of it.
Columns: TypeAlias = dict[str, str | Callable[[Row], str]]

#: So many rows say how wide the columns are.
_MEASURED = 1000
_GAP = "  "


def print_rows(
    rows: Iterable[Row],
    columns: Columns,
    output: str,
) -> None:
    """Print rows: as JSON all they have; as a table columns, each by its key or a function."""
    lines = _json(rows) if output == "json" else _table(rows, columns)
    for line in lines:  # click.echo would flush each
        sys.stdout.write(f"{line}\n")


def print_row(
    row: Row,
    columns: Columns,
    output: str,
) -> None:
    """Print one row: a line a column, or as JSON."""
    if output == "json":
        click.echo(json.dumps(row, indent=2))
        return
    width = max(map(len, columns))
    for name, source in columns.items():
        first, *more = _cell(row, source).split("\n")
        click.echo(f"{name:<{width}}{_GAP}{first}".rstrip())
        for line in more:
            click.echo(f"{'':<{width}}{_GAP}{line}")


def _json(rows: Iterable[Row]) -> Iterator[str]:
    """An array, a row a line."""
    before = "["
    for row in rows:
        yield before
        before = f"  {json.dumps(row)},"
    yield before.rstrip(",")
    yield "]"


def _table(
    rows: Iterable[Row],
    columns: Columns,
) -> Iterator[str]:
    sources = tuple(columns.values())
    cells = ([_cell(row, source) for source in sources] for row in rows)
    head = [list(columns), *islice(cells, _MEASURED)]
    widths = [max(map(len, column)) for column in zip(*head, strict=True)]
    for row in chain(head, cells):
        padded = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield _GAP.join(padded).rstrip()


def _cell(row: Row, source: str | Callable[[Row], str]) -> str:
    value = row[source] if isinstance(source, str) else source(row)
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ",".join(map(str, value)) or "-"
        case dict():
            return ",".join(f"{key}={one}" for key, one in value.items()) or "-"
        case _:
            return str(value) or "-"
