# SPDX-License-Identifier: Apache-2.0
"""Events: what a trunk tells of a packet, how many of them, and how they are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import define

from axoneme.datapath import (
    EventFilter,
    EventKind,
    EventReader,
    EventTerm,
    EventType,
    Runtime,
    decode_events,
    event_record,
    read_event_counts,
)
from axoneme.model import pack_address
from axoneme.testing.packets import TCP, UDP, Ethernet, IPv4, IPv6

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.packets.stub import Stub

ALL = sum(EventKind)
DROP, PASS = 2, 1
DENIED = 133
RING_BYTES, IN_RING = 1 << 22, 136  # an event and the kernel's header
V4, V6 = IPv4("10.0.0.1", "10.0.0.2"), IPv6("fd00::1", "fd00::2")


@define
class Told:
    """The events of a stub."""

    stub: Stub
    reader: EventReader
    runtime: Runtime

    def rows(self) -> bytes:
        """All that have come, packed."""
        found = b""
        while more := self.reader.read():
            found += more
        return found

    def all(self) -> list[dict[str, Any]]:
        """All that have come, as dicts."""
        return list(decode_events(self.rows()))

    def counts(self, kind: EventType = EventType.DROPS) -> tuple[int, int, int, int]:
        """What was counted of a type on all CPUs: seen, sent, lost, limited."""
        counts = [c for c in read_event_counts(self.stub.datapath.maps) if c.type is kind]
        names = ("seen", "sent", "lost", "limited")
        return tuple(sum(getattr(count, name) for count in counts) for name in names)


@pytest.fixture
def told(stub: Stub) -> Iterator[Told]:
    """The events of the stub: all kinds are wanted, none is there yet."""
    datapath = stub.datapath
    runtime, reader = Runtime.open(datapath), EventReader.of(datapath)
    made = Told(stub, reader, runtime)
    runtime.want_events(0)
    datapath.table("event_counters").clear()
    made.rows()
    runtime.want_events(ALL)
    yield made
    runtime.want_events(0)
    reader.close()


@pytest.mark.parametrize("name", ["from_pod", "to_pod", "from_uplink", "to_uplink", "xdp_ingress"])
def test_a_drop_is_told_with_what_the_trunk_knew(stub, told, name):
    """Addresses, ports, reason, trunk and verdict are those of the packet."""
    stub.answer("xdp_filter" if name == "xdp_ingress" else "policy", DROP, reason=DENIED)
    packet = bytes(Ethernet() / V4 / TCP(4000, 80) / b"data")
    stub.run(name, packet)
    (event,) = told.all()
    assert event["kinds"] == EventKind.DROP
    assert event["verdict"] == DROP
    assert event["packet.reason"] == DENIED
    assert event["packet.tuple.saddr"] == pack_address("10.0.0.1")
    assert event["packet.tuple.daddr"] == pack_address("10.0.0.2")
    assert (event["packet.tuple.sport"], event["packet.tuple.dport"]) == (4000, 80)
    assert event["packet.len"] == len(packet)
    assert told.counts() == (1, 1, 0, 0)


def test_a_packet_that_passes_is_not_told_by_itself(stub, told):
    """Only what a stage asks to be reported is."""
    stub.run("from_pod", bytes(Ethernet() / V4 / UDP(1, 2)))
    assert told.all() == []


def test_a_kind_that_nobody_wants_is_not_even_seen(stub, told):
    """It is no loss, and costs no room."""
    told.runtime.want_events(ALL & ~EventKind.DROP)
    stub.answer("policy", DROP, reason=DENIED)
    stub.run("from_pod", bytes(Ethernet() / V4 / UDP(1, 2)))
    assert told.all() == []
    assert told.counts() == (0, 0, 0, 0)


def test_a_probe_is_no_event(stub, told):
    """It changes nothing, and so is not told of."""
    stub.answer("policy", DROP, reason=DENIED)
    stub.pipeline.probe("from_pod", bytes(Ethernet() / V4 / UDP(1, 2)))
    assert told.all() == []
    assert told.counts() == (0, 0, 0, 0)


def test_what_the_ring_has_no_room_for_is_counted(stub, told):
    """Seen is sent and lost together, and what was sent is there to be read."""
    stub.answer("policy", DROP, reason=DENIED)
    many = 2 * RING_BYTES // IN_RING
    stub.run("from_pod", bytes(Ethernet() / V4 / UDP(1, 2)), repeat=many)
    seen, sent, lost, limited = told.counts()
    assert (seen, limited) == (many, 0)
    assert seen == sent + lost
    assert lost > many // 3
    assert len(told.rows()) // event_record().size == sent
    stub.run("from_pod", bytes(Ethernet() / V4 / UDP(1, 2)))
    assert len(told.all()) == 1, "there is room again"


def test_more_than_the_rate_are_limited_and_counted(stub, told):
    """A burst passes, then no more than come in the time that goes by."""
    told.runtime.want_events(ALL, rate=10, burst=100)
    stub.answer("policy", DROP, reason=DENIED)
    stub.run("from_pod", bytes(Ethernet() / V4 / UDP(1, 2)), repeat=5000)
    seen, sent, lost, limited = told.counts()
    assert (seen, lost) == (5000, 0)
    assert seen == sent + limited
    assert 100 <= sent < 200, "10 a second, whatever the machine's load"


@pytest.mark.parametrize(
    ("clauses", "ports"),
    [
        ((), {1, 2, 3, 4}),
        (((EventTerm("packet.tuple.sport", (2).to_bytes(2)),),), {2}),
        (
            (
                (
                    EventTerm("packet.tuple.sport", (2).to_bytes(2)),
                    EventTerm("packet.tuple.sport", (3).to_bytes(2)),
                ),
            ),
            {2, 3},
        ),
        (
            (
                (EventTerm("packet.tuple.sport", (2).to_bytes(2)),),
                (EventTerm("packet.tuple.dport", (81).to_bytes(2)),),
            ),
            set(),
        ),
        (((EventTerm("packet.tuple.sport", b"\0\1", b"\0\1"),),), {1, 3}),
        (((EventTerm("packet.tuple.saddr", pack_address("fd00::1")),),), {4}),
    ],
)
def test_events_are_chosen_by_their_fields(stub, told, clauses, ports):
    """Every clause must hold, and does by any of its terms."""
    stub.answer("policy", DROP, reason=DENIED)
    for port in (1, 2, 3):
        stub.run("from_pod", bytes(Ethernet() / V4 / UDP(port, 80)))
    stub.run("from_pod", bytes(Ethernet() / V6 / UDP(4, 80)))
    chosen = EventFilter(clauses).choose(told.rows())
    assert {event["packet.tuple.sport"] for event in decode_events(chosen)} == ports


def test_a_term_that_is_too_long_is_refused(told):
    """It names the field."""
    with pytest.raises(ValueError, match=r"packet\.tuple\.sport has 2 bytes, not 4"):
        EventFilter(((EventTerm("packet.tuple.sport", bytes(4)),),))
