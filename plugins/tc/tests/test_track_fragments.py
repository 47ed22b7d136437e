# SPDX-License-Identifier: Apache-2.0
"""track: later fragments, and the first ones that say their ports."""

from __future__ import annotations

import pytest
from plugins.tc.tests.tracking import (
    ESTABLISHED,
    NEW,
    ONE4,
    ONE6,
    OUTSIDE4,
    OUTSIDE6,
    TWO4,
    TWO6,
    between,
)

from axoneme.datapath import Verdict
from axoneme.testing import Packet
from axoneme.testing.packets import Fragment, IPv4, IPv6, fragments, frame


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
            frame(IPv4(ONE4, TWO4, 17, offset=56, id=9), b"data"),
            frame(IPv4(ONE4, TWO4, 6, offset=56), b"data"),
            frame(IPv4(ONE4, OUTSIDE4, 17, offset=56), b"data"),
        ]
        if family == 4
        else [
            frame(IPv6(ONE6, TWO6), Fragment(56, False, 2, 17), b"data"),
            frame(IPv6(ONE6, TWO6), Fragment(56, False, 1, 6), b"data"),
            frame(IPv6(ONE6, OUTSIDE6), Fragment(56, False, 1, 17), b"data"),
        ]
    )
    assert [track.send(packet).verdict for packet in others] == [Verdict.DROP] * 3
    assert track.reasons() == {"fragment_not_found": 4}


def test_fragments_of_what_has_no_ports_need_no_first(track):
    """The protocol is all that their flow is known by."""
    later, first = (
        frame(IPv4(ONE4, TWO4, 47, offset=offset, more_fragments=not offset), bytes(8))
        for offset in (8, 0)
    )
    assert [track.state(later), track.state(first)] == [NEW, ESTABLISHED]
