# SPDX-License-Identifier: Apache-2.0
"""forward: packets for a pod of the same node go straight into it."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axoneme.datapath import Verdict
from axoneme.testing import Node, Packet, dissect, scaled
from axoneme.testing.packets import (
    ICMP,
    TCP,
    UDP,
    Ethernet,
    Fragment,
    HopByHop,
    ICMPv6,
    IPv4,
    IPv6,
    frame,
)
from axoneme.testing.pipelines import Pipeline

ONE4, TWO4 = "10.1.0.1", "10.1.0.2"
ONE6, TWO6 = "fd00:10:1::1", "fd00:10:1::2"
FIRST = IPv4(ONE4, TWO4, more_fragments=True)


TO_TWO = {
    "TCP": frame(IPv4(ONE4, TWO4), TCP(40000, 80), b"data"),
    "UDP": frame(IPv4(ONE4, TWO4), UDP(40000, 53), b"data"),
    "ICMP": frame(IPv4(ONE4, TWO4), ICMP.echo(1), b"data"),
    "what nobody knows": frame(IPv4(ONE4, TWO4, 47), b"data"),
    "IPv4 with options": frame(IPv4(ONE4, TWO4, options=b"\1" * 12), UDP(1, 2)),
    "the first fragment": frame(FIRST, UDP(1, 2), bytes(8)),
    "a later fragment": frame(IPv4(ONE4, TWO4, 17, offset=16), b"data"),
    "TCP over IPv6": frame(IPv6(ONE6, TWO6), TCP(40000, 80), b"data"),
    "ICMPv6": frame(IPv6(ONE6, TWO6), ICMPv6.echo(1), b"data"),
    "IPv6 with an extension": frame(IPv6(ONE6, TWO6), HopByHop(), UDP(1, 2)),
    "a later IPv6 fragment": frame(IPv6(ONE6, TWO6), Fragment(16, next_header=17), b"data"),
}
#: What tells the later fragments' ports.
FIRST_FRAGMENTS = [
    TO_TWO["the first fragment"],
    frame(IPv6(ONE6, TWO6), Fragment(0, True, next_header=17), UDP(1, 2), bytes(8)),
]
ELSEWHERE = {
    "the world": frame(IPv4(ONE4, "203.0.113.7"), TCP(1, 2)),
    "the world by IPv6": frame(IPv6(ONE6, "2001:db8::7"), TCP(1, 2)),
    "the node": frame(IPv4(ONE4, "172.31.0.1"), TCP(1, 2)),
    "a pod that is not there": frame(IPv4(ONE4, "10.1.0.77"), TCP(1, 2)),
    "a pod of another node": frame(IPv6(ONE6, "fd00:10:2::1"), TCP(1, 2)),
    "a group": frame(IPv4(ONE4, "224.0.0.251"), UDP(5353, 5353)),
    "a group by IPv6": frame(IPv6(ONE6, "ff02::fb"), UDP(5353, 5353)),
    "all": frame(IPv4(ONE4, "255.255.255.255"), UDP(68, 67)),
}


def delivered(pair, packet: Packet) -> Packet:
    """What comes out for the second pod: other MAC addresses and one hop less, and only that."""
    ethernet = Ethernet(pair.two.node_mac, pair.two.mac, packet[Ethernet].type)
    ip = packet.layers[1]
    if isinstance(ip, IPv4):
        ip = evolve(ip, ttl=ip.ttl - 1)
    else:
        ip = evolve(ip, hop_limit=ip.hop_limit - 1)
    return Packet((ethernet, ip, *packet.layers[2:]), packet.payload)


@pytest.mark.parametrize("packet", TO_TWO.values(), ids=TO_TWO.keys())
def test_a_packet_for_a_pod_of_the_node_is_redirected_into_it(pair, packet):
    """Its MAC addresses are the receiver's, its hop limit is one less, its checksum is right."""
    for first in FIRST_FRAGMENTS:
        pair.run(first)
    run = pair.run(packet)
    assert run.verdict == Verdict.REDIRECT
    assert run.packet == bytes(delivered(pair, packet))


@pytest.mark.parametrize("packet", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_a_packet_for_elsewhere_is_left_to_the_kernel_unchanged(pair, packet):
    """Its routing knows the way."""
    run = pair.run(packet)
    assert run.verdict == Verdict.PASS
    assert run.packet == bytes(packet)


@pytest.mark.parametrize("hops", [0, 1])
@pytest.mark.parametrize("family", [4, 6])
def test_a_packet_at_its_last_hop_is_left_to_the_kernel_unchanged(pair, hops, family):
    """Which answers that it ended here."""
    ip = IPv4(ONE4, TWO4, ttl=hops) if family == 4 else IPv6(ONE6, TWO6, hop_limit=hops)
    packet = bytes(frame(ip, UDP(1, 2)))
    run = pair.run(packet)
    assert (run.verdict, run.packet) == (Verdict.PASS, packet)


@settings(
    max_examples=max(20, round(200 / scaled(1))),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(2, 255), st.integers(0, 255), st.integers(0, 0xFFFF), st.binary(max_size=40))
def test_the_checksum_is_right_whatever_the_header_was(pair, ttl, tos, number, options):
    """The one that is updated is the one that would be computed."""
    options = options[: len(options) // 4 * 4]
    header = IPv4(ONE4, TWO4, ttl=ttl, tos=tos, id=number, options=options)
    out = dissect(pair.run(frame(header, UDP(1, 2))).packet)
    assert out[IPv4].checksum is None
    assert out[IPv4].ttl == ttl - 1


@pytest.mark.parametrize("checksum", [0x0000, 0xFFFF, 0xFEFF, 0xFF00, 0x0100, 0x00FF])
def test_a_checksum_at_the_edge_is_updated_right(pair, checksum):
    """Where the sum carries over: the identification makes the checksum what it is."""
    header = IPv4(ONE4, TWO4, ttl=64)
    plain = int.from_bytes(bytes(frame(header, UDP(1, 2)))[24:26], "big")
    # One's complement: the sum of identification and checksum stays what it is.
    number = (plain - checksum) % 0xFFFF
    packet = bytearray(bytes(frame(evolve(header, id=number), UDP(1, 2))))
    if checksum in (0x0000, 0xFFFF):
        packet[24:26] = checksum.to_bytes(2, "big")
    assert int.from_bytes(packet[24:26], "big") == checksum
    assert dissect(bytes(packet))[IPv4].checksum is None
    assert dissect(pair.run(bytes(packet)).packet)[IPv4].checksum is None


def test_a_wrong_checksum_stays_wrong(pair):
    """forward does not repair what the sender broke: the receiver's kernel drops it."""
    run = pair.run(frame(IPv4(ONE4, TWO4, checksum=0x1234), UDP(1, 2)))
    assert dissect(run.packet)[IPv4].checksum is not None


def test_without_forward_the_kernel_routes():
    """The object can be off."""
    packet = bytes(TO_TWO["TCP"])
    with Node() as node, Pipeline(node, ["tc"], "[tc]\nforward = false") as pipeline:
        one, _ = pipeline.add_pod(), pipeline.add_pod()
        run = pipeline.run("from_pod", packet, pod=one)
        assert (run.verdict, run.packet) == (Verdict.PASS, packet)


def test_a_pod_that_comes_and_goes_is_forwarded_to_while_it_is_there():
    """From the moment that its endpoint is added until it is removed."""
    packet = bytes(TO_TWO["TCP"])
    with Node() as node, Pipeline(node, ["tc"]) as pipeline:
        one = pipeline.add_pod()
        assert pipeline.run("from_pod", packet, pod=one).verdict == Verdict.PASS
        two = pipeline.add_pod()
        assert pipeline.run("from_pod", packet, pod=one).verdict == Verdict.REDIRECT
        node.call(pipeline.engine.remove_endpoint, two.number)
        assert pipeline.run("from_pod", packet, pod=one).verdict == Verdict.PASS
