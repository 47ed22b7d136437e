# SPDX-License-Identifier: Apache-2.0
"""The last events of a node: packed rows with the names that they had when they were read."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.observe.lost import Lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.observe.book import Book
    from axoneme.observe.rows import RowLayout

#: Rows that come in small batches are kept together up to so many.
_TOGETHER = 1024


@define
class Batch:
    """Rows, and the names that they need."""

    rows: bytearray
    names: Book


@define
class Store:
    """The last rows, at most `capacity` of them, and what was lost between them."""

    layout: RowLayout
    capacity: int
    _items: deque[Batch | Lost] = field(factory=deque, init=False)
    _count: int = field(default=0, init=False)

    def __len__(self) -> int:
        return self._count

    def put(self, rows: bytes, names: Book) -> None:
        """Keep rows; the oldest ones go if there are too many."""
        last = self._items[-1] if self._items else None
        if isinstance(last, Batch) and self._fits(last, names):
            last.rows += rows
            last.names |= names
        else:
            self._items.append(Batch(bytearray(rows), dict(names)))
        self._count += len(rows) // self.layout.size
        self.trim()

    def put_lost(self, lost: Lost) -> None:
        """Keep what was lost, at its place."""
        self._items.append(lost)
        while len(self._items) > self.capacity:
            self._drop_first()

    def trim(self) -> None:
        """Drop what is more than the capacity, which may have been changed."""
        while (excess := self._count - self.capacity) > 0:
            first = self._items[0]
            if isinstance(first, Lost) or len(first.rows) // self.layout.size <= excess:
                self._drop_first()
            else:
                del first.rows[: excess * self.layout.size]
                self._count -= excess

    def since(self, time: int) -> Iterator[Batch | Lost]:
        """What there is from a time on, oldest first."""
        times = self.layout.columns("time")
        for item in self._items:
            if isinstance(item, Lost):
                if item.time >= time:
                    yield item
                continue
            count = len(item.rows) // self.layout.size
            if times.at(item.rows, count - 1)[0] < time:
                continue
            # Rows of several CPUs may change places by microseconds, which no reader minds.
            first = next(n for n in range(count) if times.at(item.rows, n)[0] >= time)
            yield Batch(item.rows[first * self.layout.size :], item.names)

    def _fits(self, batch: Batch, names: Book) -> bool:
        if len(batch.rows) >= _TOGETHER * self.layout.size:
            return False
        known = batch.names
        return all(known.get(key, name) == name for key, name in names.items())

    def _drop_first(self) -> None:
        item = self._items.popleft()
        if isinstance(item, Batch):
            self._count -= len(item.rows) // self.layout.size
