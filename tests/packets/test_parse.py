# SPDX-License-Identifier: Apache-2.0
"""What stages are told of a packet, case by case; every case is checked by the reference too."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from attrs import asdict
from tests.packets.parse_cases import (
    DATAGRAM,
    ROWS,
    SEGMENT,
    V4,
    chain,
    frame,
    with_options,
)
from tests.packets.reference import Broken, NotIp, Parsed, parse

from axoneme.datapath import Verdict
from axoneme.testing.packets import ARP, Ethernet, Fragment, HopByHop, IPv6, Packet

if TYPE_CHECKING:
    from tests.packets.parse_cases import (
        Row,
    )
    from tests.packets.stub import Stub

TRUNKS = ["from_pod", "to_pod", "from_uplink", "to_uplink", "xdp_ingress"]


def trunk_for(packet: bytes) -> str:
    """from_pod, or XDP's trunk for what tc's test runs refuse: less than a whole IP header."""
    whole = 54 if packet[12:14] == b"\x86\xdd" else 34
    return "from_pod" if len(packet) >= whole else "xdp_ingress"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_packet_is_parsed(stub: Stub, row: Row) -> None:
    """Stages find the fields of the table, or none of them runs and the reason is counted."""
    packet = bytes(row.packet)
    name = trunk_for(packet)
    run = stub.run(name, packet)
    if isinstance(row.expected, str):
        assert stub.drops() == ((name, row.expected, len(packet)),)
        assert (run.verdict, stub.path()) == (Verdict.DROP, ())
    else:
        seen = stub.seen("recall")
        assert {name: seen[name] for name in row.expected} == row.expected
        assert stub.drops() == ()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_reference_agrees_with_the_table(row: Row) -> None:
    """The parser that properties compare with is right where the table says what is right."""
    result = parse(bytes(row.packet))
    if isinstance(row.expected, str):
        assert result == Broken(row.expected)
    else:
        assert isinstance(result, Parsed)
        found = asdict(result)
        assert {n: v for n, v in row.expected.items() if n in found}.items() <= found.items()


@pytest.mark.parametrize(
    "packet",
    [
        frame(V4, SEGMENT, b"xyz"),
        frame(with_options(3), DATAGRAM),
        frame(*chain(HopByHop, Fragment), SEGMENT),
    ],
    ids=["IPv4", "IPv4 with options", "IPv6 with extensions"],
)
def test_a_packet_cut_at_any_length_is_parsed_or_dropped(stub: Stub, packet: Packet) -> None:
    """At every length the trunk says what the reference says; none is read beyond its end."""
    whole = bytes(packet)
    for length in range(14, len(whole) + 1):
        stub.reset()
        name = trunk_for(whole[:length])
        stub.run(name, whole[:length])
        result = parse(whole[:length])
        if isinstance(result, Parsed):
            assert stub.seen("recall").items() >= asdict(result).items(), length
        else:
            assert isinstance(result, Broken)
            assert stub.drops() == ((name, result.reason, length),)


ARP_FRAME = frame(ARP("10.0.0.1", "10.0.0.2"))
MPLS = Packet((Ethernet(type=0x8847),), bytes(40))
TAGGED = Packet((Ethernet(type=0x8100),), struct.pack("!HH", 5, 0x0800) + bytes(V4 / SEGMENT))


@pytest.mark.parametrize(
    ("trunk", "packet", "drops"),
    [
        ("from_pod", ARP_FRAME, ()),
        ("from_pod", MPLS, ("unsupported_l3",)),
        ("from_pod", TAGGED, ("unsupported_l3",)),
        ("to_pod", ARP_FRAME, ()),
        ("to_pod", MPLS, ()),
        ("from_uplink", ARP_FRAME, ()),
        ("from_uplink", MPLS, ()),
        ("from_uplink", TAGGED, ()),
        ("to_uplink", MPLS, ()),
        ("xdp_ingress", ARP_FRAME, ()),
        ("xdp_ingress", MPLS, ()),
        ("xdp_ingress", TAGGED, ()),
    ],
)
def test_what_is_not_ip_is_the_kernels_and_from_a_pod_only_arp(
    stub: Stub, trunk: str, packet: Packet, drops: tuple[str, ...]
) -> None:
    """Stages see IP only; the rest passes, but for what a pod sends beside IP and ARP."""
    assert isinstance(parse(bytes(packet)), NotIp)
    run = stub.run(trunk, bytes(packet))
    assert stub.path() == ()
    assert run.verdict == (Verdict.DROP if drops else Verdict.PASS)
    assert tuple(reason for _, reason, _ in stub.drops()) == drops


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("packet", [frame(V4, SEGMENT), frame(*chain(HopByHop), DATAGRAM)])
def test_every_trunk_parses_alike(stub: Stub, trunk: str, packet: Packet) -> None:
    """The first stage of each trunk finds what the reference finds."""
    stub.run(trunk, bytes(packet))
    result = parse(bytes(packet))
    assert isinstance(result, Parsed)
    assert stub.seen(stub.path()[0]).items() >= asdict(result).items()


@pytest.mark.parametrize("trunk", TRUNKS)
def test_every_trunk_drops_a_mapped_address(stub: Stub, trunk: str) -> None:
    """An IPv6 packet that could pass for an IPv4 one is dropped wherever it comes in."""
    packet = frame(IPv6("::ffff:10.0.0.1", "fd00::2"), SEGMENT)
    run = stub.run(trunk, bytes(packet))
    assert run.verdict == Verdict.DROP
    assert stub.drops() == ((trunk, "mapped_address", len(bytes(packet))),)
