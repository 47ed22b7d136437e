# SPDX-License-Identifier: Apache-2.0
"""The names of rules, pinned beside the connections that carry their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .datapath import Datapath
    from .tables import Rows, Table

_NAME = 384
_ELLIPSIS = "..."


@define
class RuleNames:
    """The map `rules`: it begins with what an earlier agent wrote."""

    _table: Table
    _rows: Rows

    @classmethod
    def open(cls, datapath: Datapath) -> RuleNames:
        """Take over the map of a datapath that has been committed."""
        table = datapath.table("rules")
        return cls(table, table.read())

    def read(self) -> dict[str, int]:
        """The number of each name."""
        return {_text(row["name"]): number for number, row in self._rows}

    def write(self, numbers: Mapping[str, int]) -> None:
        """Make the names those of these numbers.

        Raises:
            MapFull: there are more rules than the map has entries.
        """
        self._rows.put((number, {"name": _padded(name)}) for name, number in numbers.items())
        known = set(numbers.values())
        self._rows.discard([number for number, _ in self._rows if number not in known])
        self._table.push(self._rows)


def _padded(name: str) -> bytes:
    """A name as the map has it; of one that is too long the end says which rule it is."""
    data = name.encode()
    if len(data) >= _NAME:
        data = _ELLIPSIS.encode() + data[-(_NAME - len(_ELLIPSIS) - 1) :]
    return data.ljust(_NAME, b"\0")


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode(errors="replace")
