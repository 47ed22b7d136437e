# SPDX-License-Identifier: Apache-2.0
"""The agent's share of conntrack: flows that are over, or whose endpoint is gone, leave."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.datapath.collector import (
    FIRST_INTERVAL,
    MOST_GONE,
    Collector,
    next_interval,
)
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from axoneme.datapath import Datapath
    from axoneme.datapath.assembly import Assembly
    from axoneme.datapath.collector import Collection
    from axoneme.model import Address

#: The share of the map's entries from which on it is said that it fills.
_CROWDED = 0.9
_LOOK_SECONDS = 1.0


@define
class Collecting:
    """Collects conntrack in a thread, at a pace that follows what there is to collect.

    `tell` is told what came of it, and of the seconds to the next time. The flows of an endpoint
    that is gone from the datapath leave within a second or so.
    """

    datapath: Datapath
    note: Callable[[str], object]
    tell: Callable[[Collection, float], object] = lambda *_: None
    _interval: float = field(default=FIRST_INTERVAL, init=False)
    _known: set[Address] = field(factory=set, init=False)
    _gone: set[Address] = field(factory=set, init=False)
    _wake: asyncio.Event = field(factory=asyncio.Event, init=False)
    _collector: Collector | None = field(default=None, init=False)
    _assembly: Assembly | None = field(default=None, init=False)

    def forget(self, addresses: Iterable[Address]) -> None:
        """Have the flows of these addresses taken out at once; nothing sends from them any more."""
        self._gone.update(addresses)
        self._wake.set()

    async def run(self) -> None:
        """Collect until it is cancelled."""
        try:
            while True:
                await self._rest()
                await self.collect()
        finally:
            self._let_go()

    async def _rest(self) -> None:
        """Wait for the next round, or until an endpoint is gone."""
        due = time.monotonic() + self._interval
        while not self._gone and time.monotonic() < due:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._wake.wait()
            self._compare()

    def _compare(self) -> None:
        """Find the addresses of endpoints that were there the last time."""
        endpoints = self.datapath.endpoints.values()
        present = {address for endpoint in endpoints for address in endpoint.addresses}
        self._gone |= self._known - present
        self._known = present

    async def collect(self) -> Collection | None:
        """Go over the map once; None if nobody tracks flows, or the kernel refused."""
        gone = set(islice(self._gone, MOST_GONE))
        self._gone -= gone
        if not self._gone:
            self._wake.clear()
        try:
            collector = self._current()
            if collector is None:
                return None
            found = await asyncio.to_thread(collector.flush, gone)
        except (AxonemeError, OSError) as error:
            self._gone |= gone
            self.note(f"conntrack cannot be collected: {error}")
            return None
        self._interval = next_interval(self._interval, found, collector.capacity)
        self.tell(found, self._interval)
        if found.live > collector.capacity * _CROWDED:
            self.note(
                f"conntrack is almost full: {found.live} flows of {collector.capacity}; new ones "
                "are dropped when it is: raise agent.map-entries.conntrack"
            )
        return found

    def _current(self) -> Collector | None:
        """The collector of what is in effect: another one after each swap."""
        assembly = self.datapath.assembly
        if assembly is not self._assembly:
            self._let_go()
            self._collector, self._assembly = Collector.of(self.datapath), assembly
        return self._collector

    def _let_go(self) -> None:
        if self._collector is not None:
            self._collector.close()
        self._collector = self._assembly = None
