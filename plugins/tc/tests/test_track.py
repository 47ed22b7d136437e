# SPDX-License-Identifier: Apache-2.0
"""track: which flow a packet belongs to, and what it is told of that flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plugins.tc.tests.tracking import (
    EGRESS_GRANTED,
    ESTABLISHED,
    INGRESS_GRANTED,
    NEW,
    ONE4,
    ONE6,
    OUTSIDE4,
    REPLY,
    TCP_SECONDS,
    TWO4,
    TWO6,
    between,
    connect,
)

from axoneme.datapath import Verdict
from axoneme.testing import Packet
from axoneme.testing.packets import TCP, UDP, IPv4, IPv6, fragments, frame

if TYPE_CHECKING:
    from plugins.tc.tests.tracking import Tracking

    from axoneme.testing import Pod


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
        frame(IPv4(ONE4, TWO4), UDP(1, 2)),
        frame(IPv4(ONE4, TWO4), UDP(2, 2)),
        frame(IPv4(ONE4, TWO4), UDP(1, 3)),
        frame(IPv4(ONE4, TWO4), TCP(1, 2)),
        frame(IPv4(ONE4, OUTSIDE4), UDP(1, 2)),
        frame(IPv6(ONE6, TWO6), UDP(1, 2)),
    ]
    assert [track.state(packet) for packet in packets] == [NEW] * len(packets)
    assert len(track.flows()) == len(packets)


def test_a_port_alone_tells_the_ends_of_a_pod_that_speaks_to_itself(track):
    """The ends of a flow with one address are told apart by their ports."""
    there, back = frame(IPv4(ONE4, ONE4), UDP(9, 5)), frame(IPv4(ONE4, ONE4), UDP(5, 9))
    assert [track.state(there), track.state(back), track.state(there)] == [NEW, REPLY, ESTABLISHED]


def test_flows_are_tracked_where_pods_are(track):
    """At uplinks they are left to the pod's own side."""
    packet = frame(IPv4(OUTSIDE4, "172.31.0.1"), UDP(1, 2))
    for trunk in ("from_uplink", "to_uplink"):
        track.send(packet, trunk=trunk)
    assert track.flows() == []
    assert track.state(frame(IPv4(OUTSIDE4, ONE4), UDP(1, 2)), trunk="to_pod") == NEW
    assert track.state(frame(IPv4(ONE4, OUTSIDE4), UDP(2, 1))) == REPLY
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
    first, later = fragments(frame(IPv4(ONE4, TWO4, id=77), UDP(1, 2), bytes(64)), 40)
    assert probe(track, first, track.one) == Verdict.REDIRECT
    assert track.send(later).verdict == Verdict.DROP


def test_the_verifier_is_soon_done(track):
    """A swap takes tenths of a second: what is odd is verified once and by itself."""
    programs = track.pipeline.datapath.assembly.programs
    most = max(program.instructions for program in programs.values())
    assert most < 60_000
