# SPDX-License-Identifier: Apache-2.0
"""Markdown that is written by a program, beside sentences that are written by people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from attrs import frozen

_CELLS = re.compile(r"(?<!\\)\|")


@frozen
class Table:
    """A table; with `kept` it has one more column, whose cells are people's."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    kept: str = ""


#: What a part is made of: paragraphs, headings and tables.
Blocks: TypeAlias = Iterable[str | Table]
#: Sentences by the heading above their table and the first cell of their row.
Sentences: TypeAlias = dict[tuple[str, str], str]


def code(value: object) -> str:
    """A value as code, where it is not empty."""
    text = str(value)
    return f"`{text}`" if text else ""


def listing(values: Iterable[object]) -> str:
    """Values as code, with commas."""
    return ", ".join(code(value) for value in values)


def sentences(text: str) -> Sentences:
    """The last cell of every row of a part."""
    found: Sentences = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line
        elif line.startswith("|"):
            cells = [cell.strip() for cell in _CELLS.split(line)[1:-1]]
            found[heading, cells[0]] = cells[-1]
    return found


def render(blocks: Blocks, old: str) -> tuple[str, list[str]]:
    """A part as text with the sentences of its old text, and the rows that have none."""
    kept, missing = sentences(old), []
    heading, written = "", []
    for block in blocks:
        if isinstance(block, str):
            heading = block if block.startswith("#") else heading
            written.append(f"{block}\n")
            continue
        rows = [[_escaped(cell) for cell in row] for row in block.rows]
        if block.kept:
            rows = [[*row, kept.get((heading, row[0]), "")] for row in rows]
            missing += [row[0] for row in rows if not row[-1]]
        columns = [*block.columns, *filter(None, [block.kept])]
        written.append("".join(map(_line, [columns, ["---"] * len(columns), *rows])))
    return "\n".join(written), missing


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("  ", " ") + "\n"
