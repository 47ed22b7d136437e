# SPDX-License-Identifier: Apache-2.0
"""The agent's share of events: rows get names, the last ones are kept, and readers are told."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from attrs import define, field

from axoneme.datapath import (
    EventKind,
    EventReader,
    Runtime,
    event_record,
    read_event_counts,
    trunk_numbers,
)
from axoneme.observe.book import KeyReader
from axoneme.observe.choice import Chooser, parse_choice
from axoneme.observe.lost import LossMeter
from axoneme.observe.rows import RowLayout
from axoneme.observe.store import Store
from axoneme.observe.subscription import Subscription

from .names import LiveNames
from .names.book import BookWriter
from .ring import Ring

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from axoneme.agent.cluster import Cluster
    from axoneme.config import AgentConfig
    from axoneme.observe.subscription import Message

#: Seconds between two looks at what was lost.
_COUNT_PERIOD = 0.25
_SECOND = 1_000_000_000
#: ns by which two looks at two clocks differ although nobody has set them.
_CLOCK_NOISE = 1_000_000


@define
class Observing:
    """A node's events, from the ring buffer to those who follow."""

    cluster: Cluster
    store: Store
    _writer: BookWriter
    _runtime: Runtime
    _ring: Ring = field(init=False)
    _meter: LossMeter = field(factory=LossMeter, init=False)
    _subscriptions: list[Subscription] = field(factory=list, init=False)
    #: What the kernel's clock lacks to ns since 1970.
    _offset: int = field(default=0, init=False)

    @classmethod
    def open(cls, cluster: Cluster) -> Observing:
        """Begin to want events, as the configuration says; they are read once it runs.

        Raises:
            DatapathError: the ring buffer cannot be read.
        """
        datapath = cluster.engine.datapath
        layout = RowLayout.of(event_record())
        writer = BookWriter(LiveNames(cluster), KeyReader.of(layout))
        made = cls(cluster, Store(layout, 0), writer, Runtime.open(datapath))
        made._ring = Ring(EventReader.of(datapath), made._put)
        made.configure()
        return made

    def configure(self) -> None:
        """Want what the configuration says now, from the next packet on."""
        agent = self.cluster.engine.configuration.agent
        rate, burst = agent.bpf_events_default_rate_limit, agent.bpf_events_default_burst_limit
        self._runtime.want_events(_wanted(agent), rate, burst)
        self.store.capacity = agent.monitor_buffer
        self.store.trim()

    def describe(self) -> dict[str, int]:
        """How many events there were, are kept, and who follows."""
        counts = read_event_counts(self.cluster.engine.datapath.maps)
        names = ("seen", "sent", "lost", "limited")
        totals = {name: sum(getattr(count, name) for count in counts) for name in names}
        return {**totals, "kept": len(self.store), "readers": len(self._subscriptions)}

    async def read(self) -> None:
        """Read events until it is cancelled."""
        await self._ring.run()

    async def count(self) -> None:
        """Count what was lost until it is cancelled."""
        while True:
            self._count()
            await asyncio.sleep(_COUNT_PERIOD)

    def close(self) -> None:
        """Let go of the ring buffer; it is not read any more."""
        self._ring.close()

    def _put(self, rows: bytes) -> None:
        """Name rows, keep them, and offer them to those who follow."""
        names = self._writer.book(rows)
        self.store.put(rows, names)
        for subscription in self._subscriptions:
            subscription.offer(rows, names, time.monotonic_ns())

    def _count(self) -> None:
        """Tell what was lost since the last time."""
        counts = read_event_counts(self.cluster.engine.datapath.maps)
        for lost in self._meter.measure(counts, time.monotonic_ns()):
            self.store.put_lost(lost)
            for subscription in self._subscriptions:
                subscription.offer_lost(lost)

    def follow(self, **arguments: Any) -> AsyncGenerator[tuple[dict[str, Any], bytes], None]:
        """Answer a reader: first what is to be known, then rows as they come.

        since: seconds ago, from which on kept events are told; last: only so many of them; follow:
        go on with those that come. Everything else is a `Choice`.

        Raises:
            AxonemeError: nothing can be chosen by what is asked for.
        """
        follow = bool(arguments.pop("follow", True))
        since, last = arguments.pop("since", None), arguments.pop("last", None)
        chooser = Chooser(
            parse_choice(arguments),
            self.cluster.addresses.directory,
            self._reasons,
        )
        made = Subscription(chooser, self._writer.keys, self.store.layout.size)
        if since is not None or last is not None or not follow:
            self._add_past(made, since, last)
        if follow:
            self._subscriptions.append(made)
        return self._tell(made, follow)

    def _reasons(self) -> dict[str, int]:
        """The numbers of reasons by their names, and by what is shown of them."""
        known = self.cluster.engine.datapath.reasons.all().values()
        return {r.text.lower(): r.number for r in known} | {r.name: r.number for r in known}

    def _add_past(self, made: Subscription, since: float | None, last: int | None) -> None:
        """Give a reader what is kept."""
        self._ring.take()
        begin = 0 if since is None else time.monotonic_ns() - int(since * _SECOND)
        made.add_past(self.store.since(begin), last)

    async def _tell(
        self, made: Subscription, follow: bool
    ) -> AsyncGenerator[tuple[dict[str, Any], bytes], None]:
        try:
            yield self._header(), b""
            while True:
                message = await made.next() if follow else made.take()
                if not message:
                    return
                yield _as_json(message), message.rows
        finally:
            if follow:
                self._subscriptions.remove(made)

    def _clock(self) -> int:
        """The same number as before, unless the clock was set: one event has one time."""
        offset = time.time_ns() - time.monotonic_ns()
        if abs(offset - self._offset) > _CLOCK_NOISE:
            self._offset = offset
        return self._offset

    def _header(self) -> dict[str, Any]:
        layout = self.store.layout
        return {
            "node": self.cluster.name,
            "offset": self._clock(),
            "size": layout.size,
            "fields": layout.fields,
            "trunks": trunk_numbers(),
        }


def _wanted(agent: AgentConfig) -> int:
    kinds = EventKind(0)
    if agent.bpf_events_drop_enabled:
        kinds |= EventKind.DROP
    if agent.bpf_events_policy_verdict_enabled:
        kinds |= EventKind.EGRESS_VERDICT | EventKind.INGRESS_VERDICT
    if agent.bpf_events_trace_enabled:
        kinds |= EventKind.OPENED | EventKind.CLOSED | EventKind.TRACE
    return int(kinds)


def _as_json(message: Message) -> dict[str, Any]:
    return {"names": message.names, "lost": [lost.as_json() for lost in message.lost]}
