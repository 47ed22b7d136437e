# SPDX-License-Identifier: Apache-2.0
"""track: pings, other messages of ICMP, and errors about flows."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from plugins.tc.tests.tracking import (
    NEW,
    NEW_SECONDS,
    NONE,
    ONE4,
    ONE6,
    OUTSIDE4,
    OUTSIDE6,
    RELATED,
    REPLY,
    TWO4,
    TWO6,
    between,
)

from axoneme.model import pack_address
from axoneme.testing.packets import ICMP, UDP, ICMPv6, IPv4, IPv6, fragments, frame

if TYPE_CHECKING:
    from axoneme.testing import Packet

NOWHERE = bytes(16)


def test_both_ends_may_ask_with_one_identifier(track):
    """Two pings that meet are two flows: a request is never taken for an answer."""
    request = frame(IPv4(ONE4, TWO4), ICMP.echo(7))
    other = frame(IPv4(TWO4, ONE4), ICMP.echo(7))
    assert [track.state(request), track.state(other, track.two)] == [NEW, NEW]
    assert len(track.flows()) == 2
    assert track.state(frame(IPv4(TWO4, ONE4), ICMP.echo(7, reply=True)), track.two) == REPLY
    assert track.state(frame(IPv4(ONE4, TWO4), ICMP.echo(7, reply=True)), track.one) == REPLY


def test_a_request_is_no_reply_even_if_its_identifier_says_so(track):
    """The identifier 0 makes both directions look alike: the other side's request is judged."""
    request, other = frame(IPv4(ONE4, TWO4), ICMP.echo(0)), frame(IPv4(TWO4, ONE4), ICMP.echo(0))
    assert track.state(request) == NEW
    before = track.raw()
    assert [track.state(other, track.two), track.state(other, track.two)] == [NEW, NEW]
    assert track.raw() == before
    assert track.state(frame(IPv4(TWO4, ONE4), ICMP.echo(0, reply=True)), track.two) == REPLY


def test_an_answer_that_nobody_asked_for_begins_no_flow(track):
    """It is judged by itself, each time."""
    reply = frame(IPv6(ONE6, TWO6), ICMPv6.echo(7, reply=True))
    assert [track.state(reply), track.state(reply)] == [NEW, NEW]
    assert track.flows() == []


@pytest.mark.parametrize(
    "packet",
    [
        frame(IPv6(ONE6, "ff02::1:ff00:2", hop_limit=255), ICMPv6(135), bytes(16)),
        frame(IPv6(ONE6, TWO6, hop_limit=255), ICMPv6(136), bytes(16)),
        frame(IPv4(ONE4, TWO4), ICMP(13), bytes(12)),
        frame(IPv4(ONE4, TWO4), ICMP(5), bytes(28)),
        frame(IPv4(ONE4, TWO4, 58), bytes([128, 0, 0, 0, 0, 7, 0, 1])),
        frame(IPv6(ONE6, TWO6, 1), bytes([8, 0, 0, 0, 0, 7, 0, 1])),
    ],
    ids=["solicitation", "advertisement", "time stamp", "redirect", "ICMPv6 in 4", "ICMP in 6"],
)
def test_other_icmp_is_of_no_flow(track, packet):
    """Neighbour discovery and the like are judged by themselves."""
    track.send(packet)
    assert track.seen()["conntrack"] == NONE
    assert track.flows() == []


def about(packet: Packet, bytes_of_it: int = 28) -> bytes:
    """What an error has of a packet: its IP header, and a little more."""
    return bytes(packet)[14:][:bytes_of_it]


def error4(source: str, destination: str, inner: bytes, kind: int = 3, code: int = 3) -> Packet:
    """An ICMP error."""
    return frame(IPv4(source, destination), ICMP(kind, code), inner)


def error6(source: str, destination: str, inner: bytes, kind: int = 1, code: int = 4) -> Packet:
    """An ICMPv6 error."""
    return frame(IPv6(source, destination), ICMPv6(kind, code), inner)


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
    datagram = frame(IPv6(ONE6, TWO6), UDP(40000, 80), bytes(64))
    first, later = fragments(datagram, 32)[:2]
    track.send(first)
    assert track.state(error6(TWO6, ONE6, about(first, 60)), track.two) == RELATED
    assert track.state(error6(TWO6, ONE6, about(later, 60)), track.two) == NEW


INNER = frame(IPv4(ONE4, TWO4), UDP(40000, 80), b"data")


UNRELATED = {
    "about a flow that is not there": error4(
        TWO4, ONE4, about(frame(IPv4(ONE4, TWO4), UDP(40001, 80)))
    ),
    "to another than the sender": error4(TWO4, OUTSIDE4, about(INNER)),
    "about a flow of others": error4(TWO4, ONE4, about(frame(IPv4(ONE4, OUTSIDE4), UDP(5, 6)))),
    "with the packet cut": error4(TWO4, ONE4, about(INNER, 22)),
    "with a header cut": error4(TWO4, ONE4, about(INNER, 12)),
    "without a packet": error4(TWO4, ONE4, b""),
    "with IPv6 in it": error4(TWO4, ONE4, about(between(6, "UDP"), 60)),
    "with garbage": error4(TWO4, ONE4, b"\xff" * 28),
    "about a later fragment": error4(
        TWO4, ONE4, about(frame(IPv4(ONE4, TWO4, 17, offset=64), UDP(40000, 80)))
    ),
    "about an error": error4(TWO4, ONE4, about(frame(IPv4(ONE4, TWO4), ICMP(3), about(INNER)), 56)),
}


@pytest.mark.parametrize("packet", UNRELATED.values(), ids=UNRELATED.keys())
def test_an_error_of_no_flow_is_new(track, packet):
    """And begins none."""
    track.send(INNER)
    track.send(frame(IPv4(ONE4, OUTSIDE4), UDP(5, 6)))
    before = track.raw()
    assert track.state(packet, track.two) == NEW
    assert track.raw() == before


def test_a_pod_tells_nobody_of_others_flows(track):
    """Else it could cut the path of a flow that it has no part in."""
    flow = frame(IPv4(ONE4, OUTSIDE4), UDP(5, 6))
    track.send(flow)
    assert track.state(error4(TWO4, ONE4, about(flow), 3, 4), track.two) == NEW
    assert track.state(error4(TWO4, ONE4, about(flow), 3, 4), track.one, "to_pod") == RELATED


def test_a_pod_of_another_node_tells_nobody_of_others_flows_either(track):
    """Nodes and whoever is no pod may be on a flow's way; its own other end may tell."""
    flow = frame(IPv4(ONE4, OUTSIDE4), UDP(5, 6))
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
