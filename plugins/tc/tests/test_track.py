# SPDX-License-Identifier: Apache-2.0
"""track: which flow a packet belongs to, and how a flow's state goes on."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from plugins.tc.tests.tracking import (
    ANY_SECONDS,
    EGRESS_GRANTED,
    ESTABLISHED,
    FIN_SECONDS,
    INGRESS_GRANTED,
    NEW,
    NEW_SECONDS,
    NONE,
    ONE4,
    ONE6,
    OUTSIDE4,
    OUTSIDE6,
    RELATED,
    REPLY,
    SYN_SECONDS,
    TCP_SECONDS,
    TWO4,
    TWO6,
    Tracking,
)

from axoneme.datapath import Verdict
from axoneme.datapath.clock import now, seconds
from axoneme.datapath.conntrack import FlowState
from axoneme.model import pack_address
from axoneme.testing import Node, Packet
from axoneme.testing.packets import (
    ICMP,
    SCTP,
    TCP,
    UDP,
    Ethernet,
    Fragment,
    ICMPv6,
    IPv4,
    IPv6,
    fragments,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.testing import Pod

OPEN = FlowState.REPLIED | FlowState.CONFIRMED
BOTH_FIN = FlowState.FIN_SENT | FlowState.FIN_REPLIED
#: SCTP's chunks by the flags of TCP that mean the same.
CHUNKS = {"S": 1, "SA": 2, "A": 0, "R": 6, "FA": 7}
SHUTDOWN_ACK = 8
NOWHERE = bytes(16)


@pytest.fixture(scope="module")
def tracked() -> Iterator[Tracking]:
    """The pipeline that all tests here share."""
    with Node() as node:
        made = Tracking(node)
        yield made
        made.close()


@pytest.fixture
def track(tracked: Tracking) -> Tracking:
    """The pipeline without any flow."""
    return tracked.reset()


def sent(*layers: Any) -> Packet:
    """A frame of these headers."""
    packet = Packet((Ethernet(),))
    for layer in layers:
        packet = packet / layer
    return packet


def between(family: int, protocol: str, *, back: bool = False, flags: str = "") -> Packet:
    """A packet from the first pod to the second, or back."""
    here, there = ((ONE4, TWO4), (ONE6, TWO6))[family == 6][:: -1 if back else 1]
    ports = (80, 40000) if back else (40000, 80)
    ip = (IPv6 if family == 6 else IPv4)(here, there)
    match protocol:
        case "TCP":
            return sent(ip, TCP(*ports, flags=flags or ("SA" if back else "S")))
        case "UDP":
            return sent(ip, UDP(*ports), b"data")
        case "SCTP":
            chunk = CHUNKS[flags or ("SA" if back else "S")]
            return sent(ip, SCTP(*ports), bytes([chunk, 0, 0, 4]))
        case "ICMP":
            kind = ICMPv6 if family == 6 else ICMP
            return sent(ip, kind.echo(7, reply=back), b"data")
        case _:
            if family == 6:
                return sent(IPv6(here, there, 47), b"data")
            return sent(IPv4(here, there, 47), b"data")


def left(track: Tracking) -> float:
    """Seconds that the one flow has left."""
    return seconds(track.flow.expiry - now())


def lasts(track: Tracking, wanted: float) -> bool:
    """Whether the one flow lasts so long, but for what a lagging expiry and the test take."""
    return wanted - 4 <= left(track) <= wanted + 1


@pytest.mark.parametrize("first", ["one", "two"])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP", "ICMP", "GRE"])
def test_a_flow_is_one_entry_for_both_directions(track, protocol, family, first):
    """New at first, established from then on, and what comes back is a reply, whoever begins."""
    there = between(family, protocol, back=first == "two", flags="S" if protocol != "ICMP" else "")
    back = between(family, protocol, back=first == "one", flags="SA")
    if protocol == "ICMP" and first == "two":
        there, back = (_swapped(packet) for packet in (back, there))
    begins, answers = (track.one, track.two)[:: 1 if first == "one" else -1]
    assert track.state(there, begins) == NEW
    assert track.state(there, begins) == ESTABLISHED
    assert track.state(back, answers) == REPLY
    assert track.state(there, begins) == ESTABLISHED
    flow = track.flow
    assert [flow.source, flow.destination] == [p.addresses[family == 6] for p in (begins, answers)]
    assert flow.proto == {"TCP": 6, "UDP": 17, "SCTP": 132, "GRE": 47}.get(
        protocol, 1 if family == 4 else 58
    )


def _swapped(packet: Packet) -> Packet:
    """The same query, or answer, with the addresses exchanged."""
    ethernet, ip, *rest = packet.layers
    return Packet((ethernet, type(ip)(ip.dst, ip.src), *rest), packet.payload)


def test_flows_that_differ_in_anything_are_not_the_same(track):
    """In an address, a port or the protocol."""
    packets = [
        sent(IPv4(ONE4, TWO4), UDP(1, 2)),
        sent(IPv4(ONE4, TWO4), UDP(2, 2)),
        sent(IPv4(ONE4, TWO4), UDP(1, 3)),
        sent(IPv4(ONE4, TWO4), TCP(1, 2)),
        sent(IPv4(ONE4, OUTSIDE4), UDP(1, 2)),
        sent(IPv6(ONE6, TWO6), UDP(1, 2)),
    ]
    assert [track.state(packet) for packet in packets] == [NEW] * len(packets)
    assert len(track.flows()) == len(packets)


def test_a_port_alone_tells_the_ends_of_a_pod_that_speaks_to_itself(track):
    """The ends of a flow with one address are told apart by their ports."""
    there, back = sent(IPv4(ONE4, ONE4), UDP(9, 5)), sent(IPv4(ONE4, ONE4), UDP(5, 9))
    assert [track.state(there), track.state(back), track.state(there)] == [NEW, REPLY, ESTABLISHED]


# What a flow's packets make of its state, and how long it then lasts. ">" is the first side.
STATES = [
    ("a SYN", "TCP", [">S"], FlowState(0), SYN_SECONDS),
    ("a SYN twice", "TCP", [">S", ">S"], FlowState(0), SYN_SECONDS),
    ("half open", "TCP", [">S", "<SA"], FlowState.REPLIED, SYN_SECONDS),
    ("open", "TCP", [">S", "<SA", ">A"], OPEN, TCP_SECONDS),
    ("data without an answer", "TCP", [">A", ">PA"], FlowState(0), SYN_SECONDS),
    ("picked up", "TCP", [">A", "<A"], FlowState.REPLIED, SYN_SECONDS),
    ("picked up, both have spoken", "TCP", [">A", "<A", ">A"], OPEN, TCP_SECONDS),
    ("refused", "TCP", [">S", "<RA"], FlowState.RESET, FIN_SECONDS),
    ("the first side closes", "TCP", [">S", "<SA", ">A", ">FA"], OPEN | 2, TCP_SECONDS),
    ("the other side closes", "TCP", [">S", "<SA", ">A", "<FA"], OPEN | 4, TCP_SECONDS),
    (
        "data after one side has closed",
        "TCP",
        [">S", "<SA", ">A", ">FA", "<A", "<PA", ">A"],
        OPEN | 2,
        TCP_SECONDS,
    ),
    ("both close", "TCP", [">S", "<SA", ">A", ">FA", "<FA"], OPEN | BOTH_FIN, FIN_SECONDS),
    (
        "the last acknowledgement",
        "TCP",
        [">S", "<SA", ">A", ">FA", "<FA", ">A"],
        OPEN | BOTH_FIN,
        FIN_SECONDS,
    ),
    ("reset by the first side", "TCP", [">S", "<SA", ">A", ">R"], OPEN | 8, FIN_SECONDS),
    ("reset by the other side", "TCP", [">S", "<SA", ">A", "<R"], OPEN | 8, FIN_SECONDS),
    (
        "a reset that the first side does not believe",
        "TCP",
        [">S", "<SA", ">A", "<R", ">A"],
        OPEN,
        TCP_SECONDS,
    ),
    (
        "the other side speaks on after a reset",
        "TCP",
        [">S", "<SA", ">A", ">R", "<A"],
        OPEN | 8,
        FIN_SECONDS,
    ),
    ("a reset first of all", "TCP", [">R"], FlowState.RESET, FIN_SECONDS),
    ("a FIN first of all", "TCP", [">FA"], FlowState.FIN_SENT, SYN_SECONDS),
    ("an INIT", "SCTP", [">S"], FlowState(0), SYN_SECONDS),
    ("an association", "SCTP", [">S", "<SA", ">A"], OPEN, TCP_SECONDS),
    ("an ABORT", "SCTP", [">S", "<SA", ">A", "<R"], OPEN | 8, FIN_SECONDS),
    ("a SHUTDOWN", "SCTP", [">S", "<SA", ">A", "<FA"], OPEN | 4, TCP_SECONDS),
    ("a datagram", "UDP", [">"], FlowState(0), NEW_SECONDS),
    ("datagrams that nobody answers", "UDP", [">", ">", ">"], FlowState(0), NEW_SECONDS),
    ("a datagram and its answer", "UDP", [">", "<"], FlowState.REPLIED, ANY_SECONDS),
    ("an echo request", "ICMP", [">"], FlowState(0), NEW_SECONDS),
    ("an echo and its reply", "ICMP", [">", "<"], FlowState.REPLIED, ANY_SECONDS),
    ("what nobody knows", "GRE", [">", "<"], FlowState.REPLIED, ANY_SECONDS),
]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    ("protocol", "steps", "state", "lasting"),
    [row[1:] for row in STATES],
    ids=[f"{row[1]}: {row[0]}" for row in STATES],
)
def test_packets_move_a_flow_through_its_states(track, family, protocol, steps, state, lasting):
    """The state is that of all packets so far, and says how long the flow lasts without more."""
    for step in steps:
        back = step[0] == "<"
        packet = between(family, protocol, back=back, flags=step[1:])
        track.send(packet, track.two if back else track.one)
    assert track.flow.state == state
    assert lasts(track, lasting)


def test_an_associations_shutdown_may_hide_behind_other_chunks(track):
    """A SHUTDOWN ACK says that both sides have closed."""
    for back, flags in ((False, "S"), (True, "SA"), (False, "A")):
        track.send(between(4, "SCTP", back=back, flags=flags), track.two if back else track.one)
    ack = sent(IPv4(TWO4, ONE4), SCTP(80, 40000), bytes([SHUTDOWN_ACK, 0, 0, 4]))
    track.send(ack, track.two)
    assert track.flow.state == OPEN | BOTH_FIN
    assert lasts(track, FIN_SECONDS)


def connect(track: Tracking, family: int = 4) -> None:
    """Open a connection from the first pod to the second."""
    for back, flags in ((False, "S"), (True, "SA"), (False, "A")):
        track.send(between(family, "TCP", back=back, flags=flags), track.two if back else track.one)


@pytest.mark.parametrize(
    ("protocol", "opened", "lasting"),
    [("TCP", False, SYN_SECONDS), ("TCP", True, TCP_SECONDS), ("UDP", False, NEW_SECONDS)],
)
def test_a_flow_is_known_until_its_time_is_up(track, protocol, opened, lasting):
    """A moment before it is, a moment after it is not; and it need not have been collected."""
    if opened:
        connect(track)
    packet = between(4, protocol, flags="A")
    track.send(packet)
    track.advance(lasting - 3)
    assert track.state(packet) == ESTABLISHED
    assert lasts(track, lasting)
    track.advance(lasting + 2)
    assert track.state(packet) == NEW
    assert track.flow.state == 0


def test_a_reply_that_comes_too_late_is_new(track):
    """It is judged as the first packet of a flow the other way round."""
    track.send(between(4, "UDP"))
    track.advance(NEW_SECONDS + 2)
    assert track.state(between(4, "UDP", back=True), track.two) == NEW
    assert str(track.flow.source) == TWO4


def test_packets_that_change_nothing_write_nothing(track):
    """Within a second neither side of an open flow touches its entry."""
    connect(track)
    for _ in range(3):  # a second may pass at any one moment of a busy machine
        before = track.raw()
        for _ in range(20):
            track.send(between(4, "TCP", flags="A"))
            track.send(between(4, "TCP", back=True, flags="A"), track.two)
        if track.raw() == before:
            return
    pytest.fail("the entry was written each time")


def test_a_flow_that_goes_on_lasts(track):
    """Each packet that comes more than a second after the last write moves the end on."""
    connect(track)
    for _ in range(3):
        track.advance(TCP_SECONDS / 2)
        assert track.state(between(4, "TCP", back=True, flags="A"), track.two) == REPLY
        assert lasts(track, TCP_SECONDS)


@pytest.mark.parametrize("ending", [[(False, "FA"), (True, "FA")], [(True, "R")]])
@pytest.mark.parametrize("by_two", [False, True])
def test_a_closed_flows_ports_can_be_used_again(track, ending, by_two):
    """A SYN opens a new flow, whichever side sends it; nothing granted to the old one holds."""
    connect(track)
    for back, flags in ending:
        track.send(between(4, "TCP", back=back, flags=flags), track.two if back else track.one)
    syn, pod = between(4, "TCP", back=by_two, flags="S"), track.two if by_two else track.one
    assert track.state(syn, pod) == NEW
    assert not track.seen()["flags"] & (EGRESS_GRANTED | INGRESS_GRANTED)
    assert track.flow.state == 0
    assert str(track.flow.source) == (TWO4 if by_two else ONE4)


def test_a_syn_against_a_flows_direction_is_no_reply(track):
    """Policy decides whether the other side may open a connection; the flow stays as it is."""
    connect(track)
    before = track.raw()
    syn = between(4, "TCP", back=True, flags="S")
    track.tell(0, deny=1)
    assert track.send(syn, track.two).verdict == Verdict.DROP
    assert track.seen()["conntrack"] == NEW
    track.tell(0, deny=0)
    assert track.send(syn, track.two).verdict == Verdict.REDIRECT
    assert track.raw() == before
    assert track.state(between(4, "TCP", flags="A")) == ESTABLISHED


def test_both_ends_may_ask_with_one_identifier(track):
    """Two pings that meet are two flows: a request is never taken for an answer."""
    request = sent(IPv4(ONE4, TWO4), ICMP.echo(7))
    other = sent(IPv4(TWO4, ONE4), ICMP.echo(7))
    assert [track.state(request), track.state(other, track.two)] == [NEW, NEW]
    assert len(track.flows()) == 2
    assert track.state(sent(IPv4(TWO4, ONE4), ICMP.echo(7, reply=True)), track.two) == REPLY
    assert track.state(sent(IPv4(ONE4, TWO4), ICMP.echo(7, reply=True)), track.one) == REPLY


def test_a_request_is_no_reply_even_if_its_identifier_says_so(track):
    """The identifier 0 makes both directions look alike: the other side's request is judged."""
    request, other = sent(IPv4(ONE4, TWO4), ICMP.echo(0)), sent(IPv4(TWO4, ONE4), ICMP.echo(0))
    assert track.state(request) == NEW
    before = track.raw()
    assert [track.state(other, track.two), track.state(other, track.two)] == [NEW, NEW]
    assert track.raw() == before
    assert track.state(sent(IPv4(TWO4, ONE4), ICMP.echo(0, reply=True)), track.two) == REPLY


def test_an_answer_that_nobody_asked_for_begins_no_flow(track):
    """It is judged by itself, each time."""
    reply = sent(IPv6(ONE6, TWO6), ICMPv6.echo(7, reply=True))
    assert [track.state(reply), track.state(reply)] == [NEW, NEW]
    assert track.flows() == []


@pytest.mark.parametrize(
    "packet",
    [
        sent(IPv6(ONE6, "ff02::1:ff00:2", hop_limit=255), ICMPv6(135), bytes(16)),
        sent(IPv6(ONE6, TWO6, hop_limit=255), ICMPv6(136), bytes(16)),
        sent(IPv4(ONE4, TWO4), ICMP(13), bytes(12)),
        sent(IPv4(ONE4, TWO4), ICMP(5), bytes(28)),
        sent(IPv4(ONE4, TWO4, 58), bytes([128, 0, 0, 0, 0, 7, 0, 1])),
        sent(IPv6(ONE6, TWO6, 1), bytes([8, 0, 0, 0, 0, 7, 0, 1])),
    ],
    ids=["solicitation", "advertisement", "time stamp", "redirect", "ICMPv6 in 4", "ICMP in 6"],
)
def test_other_icmp_is_of_no_flow(track, packet):
    """Neighbour discovery and the like are judged by themselves."""
    track.send(packet)
    assert track.seen()["conntrack"] == NONE
    assert track.flows() == []


# ICMP errors


def about(packet: Packet, bytes_of_it: int = 28) -> bytes:
    """What an error has of a packet: its IP header, and a little more."""
    return bytes(packet)[14:][:bytes_of_it]


def error4(source: str, destination: str, inner: bytes, kind: int = 3, code: int = 3) -> Packet:
    """An ICMP error."""
    return sent(IPv4(source, destination), ICMP(kind, code), inner)


def error6(source: str, destination: str, inner: bytes, kind: int = 1, code: int = 4) -> Packet:
    """An ICMPv6 error."""
    return sent(IPv6(source, destination), ICMPv6(kind, code), inner)


@pytest.mark.parametrize("kind", [3, 11, 12])
@pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP", "ICMP", "GRE"])
def test_an_error_about_a_flow_is_related(track, protocol, kind):
    """Whoever on the way sends it, about a packet of either direction."""
    there, back = between(4, protocol), between(4, protocol, back=True)
    track.send(there)
    track.send(back, track.two)
    assert track.state(error4(TWO4, ONE4, about(there), kind), track.two) == RELATED
    assert track.state(error4(ONE4, TWO4, about(back), kind), track.one) == RELATED
    assert track.state(error4(OUTSIDE4, ONE4, about(there), kind), track.one, "to_pod") == RELATED


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("protocol", ["TCP", "UDP", "ICMP", "GRE"])
def test_an_ipv6_error_about_a_flow_is_related(track, protocol, kind):
    """Packet too big among them."""
    there = between(6, protocol)
    track.send(there)
    assert track.state(error6(TWO6, ONE6, about(there, 60), kind), track.two) == RELATED
    assert track.state(error6(OUTSIDE6, ONE6, about(there, 60), kind), trunk="to_pod") == RELATED


def test_an_error_about_a_fragment_is_related(track):
    """About the first one, whose ports it has; about a later one it cannot be known."""
    datagram = sent(IPv6(ONE6, TWO6), UDP(40000, 80), bytes(64))
    first, later = fragments(datagram, 32)[:2]
    track.send(first)
    assert track.state(error6(TWO6, ONE6, about(first, 60)), track.two) == RELATED
    assert track.state(error6(TWO6, ONE6, about(later, 60)), track.two) == NEW


INNER = sent(IPv4(ONE4, TWO4), UDP(40000, 80), b"data")
UNRELATED = {
    "about a flow that is not there": error4(
        TWO4, ONE4, about(sent(IPv4(ONE4, TWO4), UDP(40001, 80)))
    ),
    "to another than the sender": error4(TWO4, OUTSIDE4, about(INNER)),
    "about a flow of others": error4(TWO4, ONE4, about(sent(IPv4(ONE4, OUTSIDE4), UDP(5, 6)))),
    "with the packet cut": error4(TWO4, ONE4, about(INNER, 22)),
    "with a header cut": error4(TWO4, ONE4, about(INNER, 12)),
    "without a packet": error4(TWO4, ONE4, b""),
    "with IPv6 in it": error4(TWO4, ONE4, about(between(6, "UDP"), 60)),
    "with garbage": error4(TWO4, ONE4, b"\xff" * 28),
    "about a later fragment": error4(
        TWO4, ONE4, about(sent(IPv4(ONE4, TWO4, 17, offset=64), UDP(40000, 80)))
    ),
    "about an error": error4(TWO4, ONE4, about(sent(IPv4(ONE4, TWO4), ICMP(3), about(INNER)), 56)),
}


@pytest.mark.parametrize("packet", UNRELATED.values(), ids=UNRELATED.keys())
def test_an_error_of_no_flow_is_new(track, packet):
    """And begins none."""
    track.send(INNER)
    track.send(sent(IPv4(ONE4, OUTSIDE4), UDP(5, 6)))
    before = track.raw()
    assert track.state(packet, track.two) == NEW
    assert track.raw() == before


def test_a_pod_tells_nobody_of_others_flows(track):
    """Else it could cut the path of a flow that it has no part in."""
    flow = sent(IPv4(ONE4, OUTSIDE4), UDP(5, 6))
    track.send(flow)
    assert track.state(error4(TWO4, ONE4, about(flow), 3, 4), track.two) == NEW
    assert track.state(error4(TWO4, ONE4, about(flow), 3, 4), track.one, "to_pod") == RELATED


def test_a_pod_of_another_node_tells_nobody_of_others_flows_either(track):
    """Nodes and whoever is no pod may be on a flow's way; its own other end may tell."""
    flow = sent(IPv4(ONE4, OUTSIDE4), UDP(5, 6))
    track.send(flow)
    ipcache = track.pipeline.datapath.table("ipcache")
    for address, identity in (("10.2.0.9", 4242), ("172.31.0.2", 6), (OUTSIDE4, 4243)):
        ipcache.write(
            [(pack_address(address), {"identity": identity, "flags": 0, "tunnel": NOWHERE})]
        )
    found = [
        track.state(error4(source, ONE4, about(flow), 11, 0), trunk="to_pod")
        for source in ("10.2.0.9", "172.31.0.2", OUTSIDE4, "198.51.100.1")
    ]
    ipcache.clear()
    assert found == [NEW, RELATED, RELATED, RELATED]


def test_an_ipv6_error_cannot_be_about_an_ipv4_flow(track):
    """Nor can addresses that look like IPv4's make it so."""
    track.send(INNER)
    inner = struct.pack("!IHBB", 6 << 28, 12, 17, 64)
    for address in (ONE4, TWO4):
        inner += bytes(10) + b"\xff\xff" + IPv4(address, address).src.packed
    inner += struct.pack("!HHHH", 40000, 80, 12, 0)
    assert track.state(error6(TWO6, ONE6, inner), track.two) == NEW


def test_an_error_keeps_no_flow_alive(track):
    """The entry stays as it is, and is no longer found when its time is up."""
    track.send(INNER)
    track.advance(NEW_SECONDS / 2)
    before = track.raw()
    assert track.state(error4(TWO4, ONE4, about(INNER)), track.two) == RELATED
    assert track.raw() == before
    track.advance(NEW_SECONDS / 2 + 2)
    assert track.state(error4(TWO4, ONE4, about(INNER)), track.two) == NEW


# Fragments


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP", "ICMP"])
def test_later_fragments_belong_to_the_flow_of_the_first(track, family, protocol):
    """They have its ports, and are established where it was."""
    whole = Packet(between(family, protocol).layers, bytes(96))
    first, second, third = fragments(whole, 40)
    assert [track.state(packet) for packet in (first, second, third)] == [NEW, *[ESTABLISHED] * 2]
    ports = ("tuple.sport", "tuple.dport")
    track.send(whole)
    wanted = {port: track.seen()[port] for port in ports}
    track.send(third)
    assert {port: track.seen()[port] for port in ports} == wanted
    assert len(track.flows()) == 1


@pytest.mark.parametrize("family", [4, 6])
def test_a_fragment_without_a_first_is_dropped_and_named(track, family):
    """So is one of another datagram, of another sender and of another protocol."""
    first, later = fragments(Packet(between(family, "UDP").layers, bytes(96)), 56)
    assert track.send(later).verdict == Verdict.DROP
    assert track.reasons() == {"fragment_not_found": 1}
    track.send(first)
    assert track.send(later).verdict == Verdict.REDIRECT
    others = (
        [
            sent(IPv4(ONE4, TWO4, 17, offset=56, id=9), b"data"),
            sent(IPv4(ONE4, TWO4, 6, offset=56), b"data"),
            sent(IPv4(ONE4, OUTSIDE4, 17, offset=56), b"data"),
        ]
        if family == 4
        else [
            sent(IPv6(ONE6, TWO6), Fragment(56, False, 2, 17), b"data"),
            sent(IPv6(ONE6, TWO6), Fragment(56, False, 1, 6), b"data"),
            sent(IPv6(ONE6, OUTSIDE6), Fragment(56, False, 1, 17), b"data"),
        ]
    )
    assert [track.send(packet).verdict for packet in others] == [Verdict.DROP] * 3
    assert track.reasons() == {"fragment_not_found": 4}


def test_fragments_of_what_has_no_ports_need_no_first(track):
    """The protocol is all that their flow is known by."""
    later, first = (
        sent(IPv4(ONE4, TWO4, 47, offset=offset, more_fragments=not offset), bytes(8))
        for offset in (8, 0)
    )
    assert [track.state(later), track.state(first)] == [NEW, ESTABLISHED]


# Where it runs, and what it says


def test_flows_are_tracked_where_pods_are(track):
    """At uplinks they are left to the pod's own side."""
    packet = sent(IPv4(OUTSIDE4, "172.31.0.1"), UDP(1, 2))
    for trunk in ("from_uplink", "to_uplink"):
        track.send(packet, trunk=trunk)
    assert track.flows() == []
    assert track.state(sent(IPv4(OUTSIDE4, ONE4), UDP(1, 2)), trunk="to_pod") == NEW
    assert track.state(sent(IPv4(ONE4, OUTSIDE4), UDP(2, 1))) == REPLY
    assert len(track.flows()) == 1


def test_a_packet_between_two_pods_of_a_node_is_looked_up_once(track):
    """Both sides' policies see the same, of a new flow as of one that is known."""
    for _ in range(2):
        track.send(between(4, "UDP"))
        assert track.seen(0)["conntrack"] == track.seen(1)["conntrack"]
    granted = EGRESS_GRANTED | INGRESS_GRANTED
    assert track.seen(1)["flags"] & granted == granted


def test_what_was_granted_holds_until_the_next_generation(track):
    """Then policy is asked again, in both directions, and once."""
    packet = between(6, "UDP")
    for _ in range(3):
        track.send(packet)
    assert track.asked() == (1, 1)
    assert (track.seen(1)["egress_rule"], track.seen(1)["ingress_rule"]) == (16, 17)
    track.generation(2)
    track.tell(0, rule=30)
    for _ in range(3):
        track.send(packet)
    assert track.asked() == (2, 2)
    assert (track.seen(1)["egress_rule"], track.seen(1)["ingress_rule"]) == (30, 17)
    assert track.seen()["generation"] == 2


def test_nothing_is_granted_under_no_generation(track):
    """Before the agent has written one, policy is asked for each packet."""
    track.generation(0)
    for _ in range(3):
        track.send(between(4, "UDP"))
    assert track.asked() == (3, 3)


def test_a_reply_has_the_rules_of_its_flow(track):
    """What let the flow into a pod lets the reply out of it."""
    track.send(between(4, "UDP"))
    track.send(between(4, "UDP", back=True), track.two)
    assert (track.seen()["egress_rule"], track.seen()["ingress_rule"]) == (17, 16)


def probe(track: Tracking, packet: Packet, pod: Pod) -> Verdict:
    """Run a packet as a probe."""
    run, _ = track.pipeline.probe("from_pod", bytes(packet), pod=pod)
    return run.verdict


@pytest.mark.parametrize("flags", ["S", "A", "FA", "R"])
def test_a_probe_changes_no_flow(track, flags):
    """Neither a flow that is there, nor one that is not, nor one whose time is up."""
    connect(track)
    track.send(between(4, "TCP", flags="FA"))
    packet = between(4, "TCP", back=True, flags=flags)
    for wait in (0, TCP_SECONDS / 2, TCP_SECONDS):
        track.advance(wait)
        before = track.raw()
        assert probe(track, packet, track.two) == Verdict.REDIRECT
        assert probe(track, between(6, "TCP", flags=flags), track.one) == Verdict.REDIRECT
        assert track.raw() == before


def test_a_probe_keeps_no_fragment(track):
    """A later fragment does not find a probe's first."""
    first, later = fragments(sent(IPv4(ONE4, TWO4, id=77), UDP(1, 2), bytes(64)), 40)
    assert probe(track, first, track.one) == Verdict.REDIRECT
    assert track.send(later).verdict == Verdict.DROP


# Entries that are not what they were


def reworded(track: Tracking, change: int) -> None:
    """Give the one entry another word."""
    ((key, value),) = track.raw().items()
    word = int.from_bytes(value[:8], "little") ^ change
    track.overwrite({key: word.to_bytes(8, "little") + value[8:]})


def test_an_entry_with_another_flows_cookie_is_never_used(track):
    """After some looks at it the packet is dropped, and named: the next finds its own."""
    track.send(between(4, "UDP"))
    reworded(track, 1)
    before = track.raw()
    assert track.send(between(4, "UDP")).verdict == Verdict.DROP
    assert track.reasons() == {"conntrack_busy": 1}
    assert track.raw() == before


def test_an_entry_that_is_leaving_is_neither_used_nor_revived(track):
    """Its flow is new, and until the entry is gone its packets are dropped, and named."""
    track.send(between(4, "UDP"))
    ((_, value),) = track.raw().items()
    reworded(track, int.from_bytes(value[4:8], "little") << 32)
    before = track.raw()
    assert track.flow.expiry == 0
    assert track.send(between(4, "UDP")).verdict == Verdict.DROP
    assert track.seen()["conntrack"] == NEW
    assert track.reasons() == {"conntrack_busy": 1}
    assert track.raw() == before


@pytest.mark.parametrize("bit", [0, 7, 19])
def test_a_grant_with_another_cookie_does_not_hold(track, bit):
    """Nor is it written over: it may be another flow's by now."""
    track.send(between(4, "UDP"))
    ((key, value),) = track.raw().items()
    grant = int.from_bytes(value[8:16], "little") ^ 1 << bit
    track.overwrite({key: value[:8] + grant.to_bytes(8, "little") + value[16:]})
    before = track.raw()
    assert track.send(between(4, "UDP")).verdict == Verdict.DROP
    assert track.asked() == (2, 1)
    assert track.raw() == before


def test_cookies_follow_the_seed(track):
    """Without the seed nobody can tell which flows share one."""
    words = set()
    for seed in (1, 2, 3):
        track.conntrack.clear()
        track.runtime.put(generation=1, seed=seed)
        track.send(between(4, "UDP"))
        ((_, value),) = track.raw().items()
        words.add((value[:3], value[8:10]))
    assert len(words) == 3


def test_the_verifier_is_soon_done(track):
    """A swap takes tenths of a second: what is odd is verified once and by itself."""
    programs = track.pipeline.datapath.assembly.programs
    most = max(program.instructions for program in programs.values())
    assert most < 60_000
