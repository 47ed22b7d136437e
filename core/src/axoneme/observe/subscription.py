# SPDX-License-Identifier: Apache-2.0
"""One reader's share: the rows it has chosen, and how many of them it was too late for."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from axoneme.observe.lost import Lost, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.observe.book import Book, KeyReader
    from axoneme.observe.choice import Chooser
    from axoneme.observe.store import Batch

#: Rows that wait for a reader; it is told how many more there were.
_ROOM = 65536
#: Batches that wait: beyond them what was lost is added up.
_MANY = 4096


@define
class Message:
    """What a reader gets at once: rows, the names that are new to it, or what was lost."""

    rows: bytes = b""
    names: tuple[list[Any], ...] = ()
    lost: tuple[Lost, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.lost)


@define
class Subscription:
    """Rows wait here, in order. All calls are made in one thread."""

    chooser: Chooser
    keys: KeyReader
    size: int
    room: int = _ROOM
    #: What was there before the reader came, which takes no room from what comes.
    _past: deque[tuple[bytes, Book] | Lost] = field(factory=deque, init=False)
    _queue: deque[tuple[bytes, Book] | Lost] = field(factory=deque, init=False)
    _waiting: int = field(default=0, init=False)
    _missed: dict[tuple[object, ...], Lost] = field(factory=dict, init=False)
    _told: Book = field(factory=dict, init=False)
    _filled: asyncio.Event = field(factory=asyncio.Event, init=False)

    def offer(self, rows: bytes, names: Book, time: int) -> None:
        """Take those of these rows that are chosen; `time` is now."""
        chosen = self.chooser.choose(rows)
        if not chosen:
            return
        count = len(chosen) // self.size
        if self._waiting + count > self.room:
            self._miss(Lost(time, Source.MONITOR, count))
        else:
            self._tell_missed()
            self._queue.append((chosen, names))
            self._waiting += count
        self._filled.set()

    def offer_lost(self, lost: Lost) -> None:
        """Take what was lost, if it may have been something that is chosen."""
        if not self.chooser.wants(lost.type):
            return
        if len(self._queue) < _MANY:
            self._queue.append(lost)
        else:
            self._miss(lost)
        self._filled.set()

    def add_past(self, items: Iterable[Batch | Lost], last: int | None = None) -> None:
        """Take what is chosen of the past, of which there is never too much; the last so many."""
        found: list[tuple[bytes, Book] | Lost] = []
        for item in items:
            if isinstance(item, Lost):
                found += [item] if self.chooser.wants(item.type) else []
            elif chosen := self.chooser.choose(bytes(item.rows)):
                found.append((chosen, item.names))
        if last is not None:
            found = list(self._last(found, last))
        self._past.extend(found)
        self._filled.set()

    def _last(
        self, items: list[tuple[bytes, Book] | Lost], count: int
    ) -> Iterator[tuple[bytes, Book] | Lost]:
        """The end of the items, which has so many rows."""
        skipped = sum(len(i[0]) // self.size for i in items if not isinstance(i, Lost)) - count
        for item in items:
            if skipped > 0 and not isinstance(item, Lost):
                rows, names = item
                if rest := rows[skipped * self.size :]:
                    yield rest, names
                skipped -= len(rows) // self.size
            elif skipped <= 0 and count:
                yield item

    async def next(self) -> Message:
        """The next message; it waits for one."""
        while not (self._past or self._queue or self._missed):
            self._filled.clear()
            await self._filled.wait()
        return self.take()

    def take(self) -> Message:
        """The next message, an empty one if there is none."""
        if self._past:
            return self._message(self._past.popleft())
        if not self._queue:
            self._tell_missed()
        if not self._queue:
            return Message()
        item = self._queue.popleft()
        if not isinstance(item, Lost):
            self._waiting -= len(item[0]) // self.size
        return self._message(item)

    def _message(self, item: tuple[bytes, Book] | Lost) -> Message:
        if isinstance(item, Lost):
            return Message(lost=(item,))
        rows, names = item
        return Message(rows, tuple(self._new(rows, names)))

    def _miss(self, lost: Lost) -> None:
        key = lost.source, lost.type, lost.cpu
        before = self._missed.get(key)
        self._missed[key] = evolve(lost, count=lost.count + (before.count if before else 0))

    def _tell_missed(self) -> None:
        self._queue.extend(self._missed.values())
        self._missed.clear()

    def _new(self, rows: bytes, names: Book) -> list[list[Any]]:
        """The names in rows that the reader has not been told, or told otherwise."""
        found = []
        for key in self.keys.keys(rows):
            name = names.get(key)
            if name is not None and self._told.get(key) != name:
                self._told[key] = name
                found.append([*key, name])
        return found
