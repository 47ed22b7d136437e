# SPDX-License-Identifier: Apache-2.0
"""Rows of plain values as a table or as JSON, printed as they come: there may be a million.

A table is for eyes, grep and awk: a line a row, and never folded. Whoever asks waits for this
module's imports, so there are few.
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

#: By the header of their column, what colours a cell: a function of the row and the padded text.
Inks: TypeAlias = dict[str, Callable[[Row, str], str]]

#: So many rows say how wide the columns are.
_MEASURED = 1000
_GAP = "  "


def print_rows(
    rows: Iterable[Row],
    columns: Columns,
    output: str,
) -> None:
    """Print rows: as JSON all they have; as a table columns, each by its key or a function."""
    lines = _json(rows) if output == "json" else table(rows, columns)
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


def table(rows: Iterable[Row], columns: Columns, inks: Inks | None = None) -> Iterator[str]:
    """The lines of a table: the headers, and a line a row."""
    sources = tuple(columns.values())
    painters = {place: inks[name] for place, name in enumerate(columns) if inks and name in inks}
    cells = ((row, [_cell(row, source) for source in sources]) for row in rows)
    head = list(islice(cells, _MEASURED))
    named = zip(columns, *(texts for _, texts in head), strict=True)
    widths = [max(map(len, column)) for column in named]
    widths[-1] = 0  # nothing stands behind it
    yield _GAP.join(_padded(columns, widths))
    for row, texts in chain(head, cells):
        padded = _padded(texts, widths)
        for place, paint in painters.items():
            padded[place] = paint(row, padded[place])
        yield _GAP.join(padded)


def _padded(texts: Iterable[str], widths: list[int]) -> list[str]:
    return [f"{text:<{width}}" for text, width in zip(texts, widths, strict=True)]


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
