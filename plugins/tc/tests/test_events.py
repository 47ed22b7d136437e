# SPDX-License-Identifier: Apache-2.0
"""Which packets of a flow are told of: its first, its verdicts, one in an interval, its last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plugins.tc.tests.tracking import (
    NEW_SECONDS,
    ONE4,
    ONE6,
    SETTINGS,
    TWO4,
    TWO6,
    Tracking,
)

from axoneme.datapath import Collector, EventKind, EventReader, Runtime, decode_events
from axoneme.model import pack_address
from axoneme.model.policy import Direction
from axoneme.model.rule_set import DENY, PolicyEntry, PolicyKey
from axoneme.testing import Node
from axoneme.testing.packets import ICMP, TCP, UDP, Ethernet, IPv4, IPv6

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from plugins.tc.tests.conftest import Ruled

    from axoneme.testing import Packet

DROP, OPENED, CLOSED, TRACE = EventKind.DROP, EventKind.OPENED, EventKind.CLOSED, EventKind.TRACE
EGRESS, INGRESS = EventKind.EGRESS_VERDICT, EventKind.INGRESS_VERDICT
ANY_EGRESS, ANY_INGRESS = (PolicyKey.of(direction, 0) for direction in Direction)
INTERVAL = 20
EVENTS = f'{SETTINGS}monitor-aggregation-interval = "{INTERVAL}s"\n'


@pytest.fixture(scope="module")
def tracked() -> Iterator[tuple[Tracking, EventReader]]:
    """The pipeline that all tests here share, and the reader of its events."""
    with Node() as node:
        made = Tracking(node, EVENTS)
        reader = EventReader.of(made.pipeline.datapath)
        yield made, reader
        reader.close()
        made.close()


@pytest.fixture
def track(tracked: tuple[Tracking, EventReader]) -> Tracking:
    """The pipeline without any flow; all kinds of events are wanted."""
    track, reader = tracked
    track.reset().runtime.want_events(sum(EventKind))
    while reader.read():
        pass
    return track


@pytest.fixture
def told(track: Tracking, tracked: tuple[Tracking, EventReader]) -> Told:
    """The events since."""
    return Told(tracked[1])


class Told:
    """What was told since it was asked last."""

    def __init__(self, reader: EventReader) -> None:
        self.reader = reader

    def __call__(self) -> list[dict[str, Any]]:
        return list(decode_events(self.reader.read()))

    def kinds(self) -> list[EventKind]:
        """Of each event in turn."""
        return [EventKind(event["kinds"]) for event in self()]


def segment(flags: str, *, back: bool = False, family: int = 4) -> Packet:
    """A TCP segment of one flow between the two pods."""
    one, two = (ONE4, TWO4) if family == 4 else (ONE6, TWO6)
    ip = (IPv4 if family == 4 else IPv6)(*((two, one) if back else (one, two)))
    ports = (80, 40000) if back else (40000, 80)
    return Ethernet() / ip / TCP(*ports, flags=flags)


@pytest.mark.parametrize("family", [4, 6])
def test_a_connection_is_told_of_from_its_first_packet_to_its_last(track, told, family):
    """Opened, then each packet with a flag that is always traced, and closed."""
    track.send(segment("S", family=family))
    (event,) = told()
    assert EventKind(event["kinds"]) == OPENED | TRACE
    assert event["packet.conntrack"] == 1
    track.send(segment("SA", back=True, family=family), track.two)
    assert told.kinds() == [TRACE]
    track.send(segment("A", family=family))
    track.send(segment("PA", family=family))
    track.send(segment("A", back=True, family=family), track.two)
    assert told() == [], "one of many, and the interval is not over"
    track.send(segment("FA", family=family))
    assert told.kinds() == [TRACE]
    track.send(segment("FA", back=True, family=family), track.two)
    assert told.kinds() == [TRACE | CLOSED]


def test_a_reset_closes(track, told):
    """At once, whoever sends it."""
    for packet in (segment("S"), segment("A")):
        track.send(packet)
    told()
    track.send(segment("R", back=True), track.two)
    assert told.kinds() == [TRACE | CLOSED]


def datagram(*, back: bool = False) -> Packet:
    """A datagram of one flow between the two pods."""
    ip = IPv4(TWO4, ONE4) if back else IPv4(ONE4, TWO4)
    return Ethernet() / ip / UDP(*((53, 5000) if back else (5000, 53)))


def test_each_side_of_a_flow_is_traced_once_in_an_interval(track, told):
    """Both sides, however many packets they send."""
    track.send(datagram())
    track.send(datagram(back=True), track.two)
    assert told.kinds() == [OPENED | TRACE, TRACE]
    for _ in range(50):
        track.send(datagram())
        track.send(datagram(back=True), track.two)
    assert told() == []
    track.reported_before(INTERVAL + 1)
    for _ in range(50):
        track.send(datagram())
        track.send(datagram(back=True), track.two)
    assert told.kinds() == [TRACE, TRACE]


def test_a_flow_whose_time_is_up_is_told_of_when_it_is_collected(track, told):
    """With the addresses of its first packet, also where the key has them the other way round."""
    track.send(datagram(back=True), track.two)
    track.send(Ethernet() / IPv4(ONE4, TWO4) / ICMP(8, 0, b"\0\7\0\1"))
    told()
    track.advance(NEW_SECONDS + 2)
    collector = Collector.of(track.pipeline.datapath)
    assert collector is not None
    collector.collect()
    collector.close()
    events = {event["packet.tuple.proto"]: event for event in told()}
    assert {EventKind(event["kinds"]) for event in events.values()} == {CLOSED}
    udp = events[17]
    assert udp["packet.tuple.saddr"] == pack_address(TWO4)
    assert (udp["packet.tuple.sport"], udp["packet.tuple.dport"]) == (53, 5000)
    assert (events[1]["packet.tuple.sport"], events[1]["packet.tuple.dport"]) == (8, 0)


def test_a_closed_connection_is_not_told_of_twice(track, told):
    """Its packets have said so."""
    for packet in (segment("S"), segment("R")):
        track.send(packet)
    told()
    track.advance(1000)
    collector = Collector.of(track.pipeline.datapath)
    assert collector is not None
    assert collector.collect().deleted == 1
    collector.close()
    assert told() == []


def test_without_aggregation_every_packet_is_told(new_track):
    """monitor-aggregation = "none"."""
    track, told = new_track('monitor-aggregation = "none"')
    for _ in range(5):
        track.send(datagram())
    assert told.kinds() == [OPENED | TRACE, *[TRACE] * 4]


def test_with_the_most_aggregation_flows_are_told_of_and_nothing_between(new_track):
    """monitor-aggregation = "maximum": whatever the flags."""
    track, told = new_track('monitor-aggregation = "maximum"')
    for flags in ("S", "A", "A", "FA"):
        track.send(segment(flags))
    track.send(segment("R", back=True), track.two)
    assert [bool(kinds & ~TRACE) for kinds in told.kinds()] == [True, True]


@pytest.fixture
def new_track() -> Iterator[Any]:
    """A function that makes a pipeline with settings of one's own."""
    made = []
    with Node() as node:

        def make(settings: str) -> tuple[Tracking, Told]:
            track = Tracking(node, f"{SETTINGS}{settings}\n")
            reader = EventReader.of(track.pipeline.datapath)
            track.runtime.want_events(sum(EventKind))
            made.append((track, reader))
            return track, Told(reader)

        yield make
        for track, reader in made:
            reader.close()
            track.close()


@pytest.fixture
def judged(ruled: Ruled) -> Iterator[tuple[Ruled, Told]]:
    """A pair under rule sets, and what is told of its packets."""
    datapath = ruled.pipeline.datapath
    reader, runtime = EventReader.of(datapath), Runtime.open(datapath)
    ruled.call(datapath.table("conntrack").clear)
    ruled.call(runtime.want_events, sum(EventKind))
    while reader.read():
        pass
    yield ruled, Told(reader)
    ruled.call(runtime.want_events, 0)
    reader.close()


def test_both_verdicts_on_a_packet_are_one_event(judged):
    """With the rules that let it out and in, and who it is; those who follow are not judged."""
    ruled, told = judged
    ruled.hold(ruled.one, {ANY_EGRESS: PolicyEntry(rule=20)}, default_deny_egress=True)
    ruled.hold(ruled.two, {ANY_INGRESS: PolicyEntry(rule=21)}, default_deny_ingress=True)
    for _ in range(3):
        ruled.pipeline.run("from_pod", bytes(datagram()), pod=ruled.one)
    (event,) = told()
    assert EventKind(event["kinds"]) == EGRESS | INGRESS | OPENED | TRACE
    assert (event["packet.egress_rule"], event["packet.ingress_rule"]) == (20, 21)
    identities = event["packet.src_identity"], event["packet.dst_identity"]
    assert identities == (1000 + ruled.one.number, 1000 + ruled.two.number)
    assert event["packet.out_ifindex"] == ruled.two.ifindex


def test_every_denied_packet_is_told_with_the_direction_that_denied_it(judged):
    """And with the rule, where one did."""
    ruled, told = judged
    ruled.hold(ruled.two, default_deny_ingress=True)
    for _ in range(2):
        ruled.pipeline.run("from_pod", bytes(datagram()), pod=ruled.one)
    events = told()
    assert [EventKind(event["kinds"]) for event in events] == [DROP | EGRESS | INGRESS] * 2
    assert {event["packet.reason"] for event in events} == {133}
    assert {event["packet.trunk"] for event in events} == {1}, "the side of the pod that denied"
    ruled.hold(ruled.one, {ANY_EGRESS: PolicyEntry(rule=30, verdict=DENY)})
    ruled.pipeline.run("from_pod", bytes(datagram()), pod=ruled.one)
    (event,) = told()
    assert EventKind(event["kinds"]) == DROP | EGRESS
    assert (event["packet.reason"], event["packet.rule"]) == (181, 30)
