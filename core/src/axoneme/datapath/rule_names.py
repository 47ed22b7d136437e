# SPDX-License-Identifier: Apache-2.0
"""The names of rules, pinned beside the connections that carry their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .datapath import Datapath
    from .pinned import PinnedMaps
    from .tables import Rows, Table

_NAME = 384
_ELLIPSIS = "..."


@define
class RuleNames:
    """The map `rules`: it begins with what an earlier agent wrote."""

    _table: Table
    _rows: Rows
    #: What was last written; None before that.
    _written: Mapping[str, int] | None = field(default=None, init=False)

    @classmethod
    def open(cls, datapath: Datapath | PinnedMaps) -> RuleNames:
        """Take over the map of a datapath that has been committed, or one that is pinned."""
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
        if self._written is None:
            new, gone = set(numbers.items()), self._strange(numbers)
        else:
            before = self._written.items()
            new = numbers.items() - before
            gone = {number for _, number in before - numbers.items()}
        if new or gone:
            # Discarded first: a number may have gone from one name to another.
            self._rows.discard(gone)
            self._rows.put((number, {"name": _padded(name)}) for name, number in new)
            self._table.push(self._rows)
        self._written = dict(numbers)

    def _strange(self, numbers: Mapping[str, int]) -> set[int]:
        """What is there and none of these numbers."""
        return {number for number, _ in self._rows} - set(numbers.values())


def _padded(name: str) -> bytes:
    """A name as the map has it; of one that is too long the end says which rule it is."""
    data = name.encode()
    if len(data) >= _NAME:
        data = _ELLIPSIS.encode() + data[-(_NAME - len(_ELLIPSIS) - 1) :]
    return data.ljust(_NAME, b"\0")


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode(errors="replace")
