# SPDX-License-Identifier: Apache-2.0
"""commit: what of a packet's flow is written down when the packet may pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plugins.tc.tests.tracking import (
    ESTABLISHED,
    NEW,
    NEW_SECONDS,
    ONE4,
    ONE6,
    OUTSIDE4,
    OUTSIDE6,
    REPLY,
    SETTINGS,
    TWO4,
    TWO6,
    Tracking,
    datagram,
)

from axoneme.datapath import Verdict
from axoneme.datapath.conntrack import Grant
from axoneme.testing import Node
from axoneme.testing.packets import ICMP, TCP, Ethernet, IPv4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.testing import Packet

NOT_YET = Grant(0, 0)
FULL = 64
#: How many flows find room at least: the kernel keeps some elements for each CPU.
ROOM = FULL // 2


@pytest.fixture(scope="module")
def tracked() -> Iterator[Tracking]:
    """A pipeline with little room for flows."""
    with Node() as node:
        made = Tracking(node, f"[agent.map-entries]\nconntrack = {FULL}\n{SETTINGS}")
        yield made
        made.close()


@pytest.mark.parametrize(("one", "two"), [(ONE4, TWO4), (ONE6, TWO6)])
def test_a_flow_between_two_pods_has_what_both_sides_granted(track, one, two):
    """In one entry, with the rule of each side, the generation, and who began."""
    track.generation(77)
    track.send(datagram(one, two))
    flow = track.flow
    assert (flow.egress, flow.ingress) == (Grant(77, 16), Grant(77, 17))
    assert (str(flow.source), flow.sport, str(flow.destination), flow.dport) == (
        one,
        40000,
        two,
        80,
    )


@pytest.mark.parametrize(("here", "there"), [(ONE4, OUTSIDE4), (ONE6, OUTSIDE6)])
def test_a_flow_that_leaves_the_node_has_its_egress_only(track, here, there):
    """Its ingress is nobody's here."""
    track.send(datagram(here, there))
    assert (track.flow.egress, track.flow.ingress) == (Grant(1, 16), NOT_YET)


@pytest.mark.parametrize(("here", "there"), [(ONE4, OUTSIDE4), (ONE6, OUTSIDE6)])
def test_a_flow_into_a_pod_has_its_ingress_only(track, here, there):
    """It is written at the pod's device where the kernel routed it there."""
    track.send(datagram(there, here), trunk="to_pod")
    assert (track.flow.egress, track.flow.ingress) == (NOT_YET, Grant(1, 17))
    assert str(track.flow.source) == there


@pytest.mark.parametrize("direction", [0, 1])
def test_a_flow_that_a_side_denies_is_not_written(track, direction):
    """Neither by the side that would have granted it."""
    track.tell(direction, deny=1)
    assert track.send(datagram(ONE4, TWO4)).verdict == Verdict.DROP
    assert track.flows() == []


def test_a_flow_that_is_no_longer_granted_keeps_its_entry(track):
    """Its packets are dropped; what comes back still is a reply."""
    track.send(datagram(ONE4, TWO4))
    track.generation(2)
    track.tell(1, deny=1)
    assert track.send(datagram(ONE4, TWO4)).verdict == Verdict.DROP
    assert track.flow.ingress == Grant(1, 17)
    assert track.state(datagram(TWO4, ONE4, 80, 40000), track.two) == REPLY


def test_a_grant_is_renewed_in_place(track):
    """The rest of the entry stays: its age, and what the other direction was granted."""
    track.send(datagram(ONE4, TWO4))
    ((key, before),) = track.raw().items()
    track.generation(2)
    track.tell(0, rule=99)
    track.tell(1, deny=1)
    track.send(datagram(ONE4, TWO4))
    assert track.raw()[key] == before
    track.tell(1, deny=0, rule=0xFFFFF)
    track.send(datagram(ONE4, TWO4))
    assert (track.flow.egress, track.flow.ingress) == (Grant(2, 99), Grant(2, 0xFFFFF))
    after = track.raw()[key]
    assert (before[:8], before[24:]) == (after[:8], after[24:])


def test_generations_and_rules_have_their_whole_width(track):
    """The highest generation and the highest rule."""
    track.generation(0xFFFFFF)
    track.tell(0, rule=0xFFFFF)
    for _ in range(2):
        track.send(datagram(ONE4, TWO4))
    assert track.flow.egress == Grant(0xFFFFFF, 0xFFFFF)
    assert track.asked() == (1, 1)


def test_a_reply_grants_nothing(track):
    """It passes because of its flow, and leaves the entry's grants as they are."""
    track.send(datagram(ONE4, OUTSIDE4))
    track.send(datagram(OUTSIDE4, ONE4, 80, 40000), trunk="to_pod")
    assert track.asked() == (1, 0)
    assert (track.flow.egress, track.flow.ingress) == (Grant(1, 16), NOT_YET)


def test_the_other_sides_syn_grants_the_flow_nothing(track):
    """A connection against the direction of one that is there is judged each time."""
    track.send(Ethernet() / IPv4(ONE4, TWO4) / TCP(40000, 80))
    before = track.raw()
    for _ in range(2):
        syn = Ethernet() / IPv4(TWO4, ONE4) / TCP(80, 40000)
        assert track.send(syn, track.two).verdict == Verdict.REDIRECT
    assert track.raw() == before
    assert track.asked() == (3, 3)


def fill(track: Tracking) -> list[Packet]:
    """Begin flows until one is refused; those that were begun."""
    begun = []
    for port in range(1, 2 * FULL):
        packet = datagram(ONE4, OUTSIDE4, port)
        if track.send(packet).verdict == Verdict.DROP:
            return begun
        begun.append(packet)
    pytest.fail("the map never was full")


def test_a_full_map_refuses_new_flows_and_keeps_the_others(track):
    """The drop is named and counted; what is known goes on, its replies as well."""
    begun = fill(track)
    assert len(begun) >= ROOM
    assert track.reasons() == {"conntrack_full": 1}
    for packet in begun:
        assert track.state(packet) == ESTABLISHED
    assert track.state(datagram(OUTSIDE4, ONE4, 80, 1), trunk="to_pod") == REPLY
    assert track.reasons() == {"conntrack_full": 1}
    for port in range(1000, 1010):
        assert track.send(datagram(ONE6, OUTSIDE6, port)).verdict == Verdict.DROP
    assert track.reasons() == {"conntrack_full": 11}
    assert len(track.flows()) == len(begun)


def test_a_full_map_lets_pass_what_needs_no_entry(track):
    """An error about a flow that is there, an answer of no flow."""
    first = fill(track)[0]
    inner = bytes(first)[14:][:28]
    error = Ethernet() / IPv4(OUTSIDE4, ONE4) / ICMP(3, 3) / inner
    assert track.send(error, trunk="to_pod").verdict == Verdict.PASS
    answer = Ethernet() / IPv4(ONE4, OUTSIDE4) / ICMP.echo(1, reply=True)
    assert track.send(answer).verdict == Verdict.PASS


def test_a_flow_that_is_over_makes_room_for_itself(track):
    """Its packets find their own dead entry and begin anew, though the map is full."""
    begun = fill(track)
    track.advance(NEW_SECONDS + 2)
    assert track.send(begun[0]).verdict == Verdict.PASS
    assert track.seen()["conntrack"] == NEW
    assert track.send(begun[0]).verdict == Verdict.PASS
    assert track.seen()["conntrack"] == ESTABLISHED


def test_a_probe_of_a_full_map_passes_and_writes_nothing(track):
    """It says what the policies say."""
    fill(track)
    before = track.raw()
    run, _ = track.pipeline.probe("from_pod", bytes(datagram(ONE4, TWO4, 5, 5)), pod=track.one)
    assert run.verdict == Verdict.REDIRECT
    assert track.raw() == before
