# SPDX-License-Identifier: Apache-2.0
"""Collection: flows whose time is up, or whose endpoint is gone, leave conntrack.

A plugin's iterator deletes them, in the kernel, by the protocol of conntrack's words: a key that
user space deletes may have been refreshed a moment before. Here it is only told to go over the map.
"""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import ExitStack
from threading import Lock
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme.model import pack_address

from ._formats import layout_of
from ._iterators import MAP_ITERATOR, MapIterator
from .tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.model import Address

    from ._formats import Format
    from .assembly import LoadedSource
    from .datapath import Datapath

_COLLECTS = "_collect_conntrack"
_COUNTED = ("walked", "deleted", "lost", "live")
_ROUND = dict.fromkeys(("gone", *_COUNTED), "Q")
_MAPS: dict[str, tuple[str, Format]] = {"round": ("I", _ROUND), "gone": ("16s", "I")}
#: Addresses whose flows can go at one time.
MOST_GONE = 4096
#: Seconds between two collections.
LEAST_INTERVAL, FIRST_INTERVAL, MOST_INTERVAL = 5.0, 10.0, 30.0
_CROWDED = 0.5
_BUSY, _IDLE = 0.25, 0.05


@frozen
class Collection:
    """What came of going over the map once.

    walked: entries that were looked at. deleted: those that left. lost: those that a packet or
    another collector had changed meanwhile. live: those that stay.
    """

    walked: int
    deleted: int
    lost: int
    live: int
    seconds: float


@define
class Collector:
    """The collector of one datapath. Its methods may be called by any thread."""

    capacity: int
    _iterator: MapIterator
    _round: Table
    _gone: Table
    _closing: ExitStack
    _lock: Lock = field(factory=Lock, init=False)

    @classmethod
    def of(cls, datapath: Datapath) -> Collector | None:
        """The collector that the plugins in effect bring, None if none of them does.

        It goes on with what is in effect now: make another one after a swap.

        Raises:
            OSError: the kernel refuses to link it.
        """
        for source in datapath.assembly.sources:
            for program in source.loaded.programs.values():
                if program.attach == MAP_ITERATOR and program.name.endswith(_COLLECTS):
                    prefix = program.name.removesuffix("conntrack")
                    return cls._link(datapath, source, program.fd, prefix)
        return None

    @classmethod
    def _link(
        cls, datapath: Datapath, source: LoadedSource, program: int, prefix: str
    ) -> Collector:
        conntrack = datapath.table("conntrack")
        with ExitStack() as closing:
            iterator = MapIterator.of(program, conntrack.fd)
            closing.callback(iterator.close)
            fds = {name: os.dup(source.loaded.maps[prefix + name].fd) for name in _MAPS}
            for fd in fds.values():
                closing.callback(os.close, fd)
            round_, gone = (
                Table(fds[name], layout_of(prefix + name, *_MAPS[name])) for name in _MAPS
            )
            return cls(conntrack.max_entries, iterator, round_, gone, closing.pop_all())

    def collect(self) -> Collection:
        """Take out the flows whose time is up.

        Raises:
            OSError: the kernel refuses.
        """
        with self._lock:
            return self._walk(0)

    def flush(self, addresses: Iterable[Address]) -> Collection:
        """Take out all flows of some addresses as well, those of endpoints that are gone.

        Call it when nothing sends from them any more, and before anybody else gets one of them.

        Raises:
            OSError: the kernel refuses.
            MapFull: there are more than MOST_GONE addresses.
        """
        rows = [(pack_address(address), 1) for address in addresses]
        with self._lock:
            try:
                self._gone.write(rows)
                return self._walk(len(rows))
            finally:
                self._gone.clear()

    def _walk(self, gone: int) -> Collection:
        self._round.write([(0, {"gone": gone, **dict.fromkeys(_COUNTED, 0)})])
        started = time.perf_counter()
        deque(self._iterator.slices(), 0)
        seconds = time.perf_counter() - started
        row = self._round[0]
        return Collection(**{name: row[name] for name in _COUNTED}, seconds=seconds)

    def close(self) -> None:
        """Let go of it: nothing is collected until there is another one."""
        with self._lock:
            self._closing.close()


def next_interval(before: float, found: Collection, capacity: int) -> float:
    """Seconds to the next collection: soon when much had to go or the map fills, else later.

    What is late only takes room: packets do not find a flow whose time is up.
    """
    if found.live > capacity * _CROWDED:
        return LEAST_INTERVAL
    share = found.deleted / found.walked if found.walked else 0.0
    if share > _BUSY:
        before /= 2
    elif share < _IDLE:
        before *= 1.5
    return min(max(before, LEAST_INTERVAL), MOST_INTERVAL)
