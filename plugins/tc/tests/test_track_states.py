# SPDX-License-Identifier: Apache-2.0
"""track: how the packets of a flow move it on, and how long it lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plugins.tc.tests.tracking import (
    ANY_SECONDS,
    EGRESS_GRANTED,
    ESTABLISHED,
    FIN_SECONDS,
    INGRESS_GRANTED,
    NEW,
    NEW_SECONDS,
    ONE4,
    REPLY,
    SYN_SECONDS,
    TCP_SECONDS,
    TWO4,
    between,
    connect,
)

from axoneme.datapath import Verdict
from axoneme.datapath.clock import now, seconds
from axoneme.datapath.conntrack import FlowState
from axoneme.testing.packets import SCTP, IPv4, frame

if TYPE_CHECKING:
    from plugins.tc.tests.tracking import Tracking

OPEN = FlowState.REPLIED | FlowState.CONFIRMED
BOTH_FIN = FlowState.FIN_SENT | FlowState.FIN_REPLIED
SHUTDOWN_ACK = 8


def left(track: Tracking) -> float:
    """Seconds that the one flow has left."""
    return seconds(track.flow.expiry - now())


def lasts(track: Tracking, wanted: float) -> bool:
    """Whether the one flow lasts so long, but for what a lagging expiry and the test take."""
    return wanted - 4 <= left(track) <= wanted + 1


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
    ack = frame(IPv4(TWO4, ONE4), SCTP(80, 40000), bytes([SHUTDOWN_ACK, 0, 0, 4]))
    track.send(ack, track.two)
    assert track.flow.state == OPEN | BOTH_FIN
    assert lasts(track, FIN_SECONDS)


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
