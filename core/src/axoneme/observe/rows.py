# SPDX-License-Identifier: Apache-2.0
"""Packed rows of events: some of their fields at a time, read by the loops of `struct`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from axoneme.datapath._layout import Record

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


@frozen
class RowLayout:
    """Where the fields of a row lie: name, offset, size and kind of each, as a codec has them.

    The agent tells it to those who follow, so that they need no object of the datapath.
    """

    size: int
    fields: tuple[tuple[str, int, int, str], ...]

    @classmethod
    def of(cls, record: Record) -> RowLayout:
        """The layout that a record of a map has."""
        return cls(record.size, tuple((f.name, f.offset, f.size, f.kind) for f in record.fields))

    def columns(self, *names: str) -> Columns:
        """The reader of these fields, which are named in the order that they have in a row."""
        places = {name: (offset, size, kind) for name, offset, size, kind in self.fields}
        text, at = "=", 0
        for name in names:
            offset, size, kind = places[name]
            code = f"{size}s" if kind == "bytes" else _CODES[size]
            text += f"{offset - at}x{code}"
            at = offset + size
        return Columns(struct.Struct(f"{text}{self.size - at}x"))


@frozen
class Columns:
    """Reads some fields of rows. Ports are read as they lie there: see `port`."""

    _struct: struct.Struct

    def each(self, rows: bytes) -> Iterator[tuple[Any, ...]]:
        """The fields of each row."""
        return self._struct.iter_unpack(rows)

    def at(self, rows: Sequence[int], number: int) -> tuple[Any, ...]:
        """The fields of one row, by its number."""
        return self._struct.unpack_from(rows, number * self._struct.size)  # type: ignore[arg-type]


def port(raw: int) -> int:
    """A port that was read as the machine's own number, of which network order is the reverse."""
    return (raw & 0xFF) << 8 | raw >> 8
