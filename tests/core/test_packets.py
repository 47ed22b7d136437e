# SPDX-License-Identifier: Apache-2.0
"""Packets that the test kit makes and takes apart.

The bytes that packets are compared with were made by scapy.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from axoneme.testing.packets import (
    ARP,
    ICMP,
    SCTP,
    TCP,
    UDP,
    VXLAN,
    Case,
    DestinationOptions,
    Ethernet,
    Fragment,
    HopByHop,
    ICMPv6,
    IPv4,
    IPv6,
    dissect,
    fragments,
)
from axoneme.testing.strategies import packets

FOUR = ("10.0.0.1", "10.0.0.2")
SIX = ("fd00::1", "fd00::2")
MACS = "020000000002020000000001"

KNOWN = {
    "TCP with options and an odd number of bytes": (
        Ethernet()
        / IPv4(*FOUR, id=7, dont_fragment=True, tos=16)
        / TCP(40000, 80, "SA", 1, 2, 512, options=b"\x02\x04\x05\xb4")
        / b"odd",
        MACS + "08004510002f00074000400626b00a0000010a0000029c4000500000000100000002"
        "6012020012190000020405b46f6464",
    ),
    "UDP over IPv6": (
        Ethernet()
        / IPv6(*SIX, hop_limit=3, traffic_class=5, flow_label=77)
        / UDP(53, 5353)
        / b"hello",
        MACS + "86dd6050004d000d1103fd000000000000000000000000000001"
        "fd000000000000000000000000000002003514e9000dacdf68656c6c6f",
    ),
    "TCP behind extension headers": (
        Ethernet() / IPv6(*SIX) / HopByHop(b"\x05\x02\0\0") / DestinationOptions() / TCP(1, 2),
        MACS + "86dd6000000000240040fd000000000000000000000000000001"
        "fd0000000000000000000000000000023c0005020000010006000104000000000001000200000000"
        "000000005002ffffb5db0000",
    ),
    "a fragment of IPv6": (
        Ethernet()
        / IPv6(*SIX)
        / Fragment(offset=24, more_fragments=True, id=9, next_header=17)
        / (b"x" * 16),
        MACS + "86dd6000000000182c40fd000000000000000000000000000001"
        "fd0000000000000000000000000000021100001900000009" + "78" * 16,
    ),
    "an ICMP echo request": (
        Ethernet() / IPv4(*FOUR, id=1) / ICMP.echo(1, 2) / b"ping",
        MACS + "08004500002000010000400166da0a0000010a0000020800192c0001000270696e67",
    ),
    "an ICMPv6 echo request": (
        Ethernet() / IPv6(*SIX) / ICMPv6.echo(1, 2) / b"ping",
        MACS + "86dd60000000000c3a40fd000000000000000000000000000001"
        "fd000000000000000000000000000002" + "8000a6e00001000270696e67",
    ),
    "an ICMP error about a packet": (
        Ethernet()
        / IPv4("10.0.0.3", "10.0.0.1", id=1)
        / ICMP(3, 4, b"\0\0\x05\x78")
        / IPv4(*FOUR, id=1)
        / UDP(1, 2)
        / b"data",
        MACS + "08004500003c00010000400166bd0a0000030a00000103040ba400000578"
        "4500002000010000401166ca0a0000010a00000200010002000c130e64617461",
    ),
    "SCTP": (
        Ethernet() / IPv4(*FOUR, id=1) / SCTP(1, 2, 3) / b"\x0b\0\0\x04",
        MACS + "08004500002400010000408466530a0000010a0000020001000200000003c866090e0b000004",
    ),
    "a frame inside VXLAN": (
        Ethernet()
        / IPv4(*FOUR, id=1)
        / UDP(555, 4789)
        / VXLAN(42)
        / Ethernet()
        / IPv4("10.1.0.1", "10.1.0.2", id=1)
        / TCP(1, 2),
        MACS + "08004500005a00010000401166900a0000010a000002022b12b50046ac9b0800000000002a00"
        "020000000002020000000001080045000028000100004006"
        "66cb0a0100010a0100020001000200000000000000005002ffff9bdb0000",
    ),
    "ARP": (
        Ethernet(dst="ff:ff:ff:ff:ff:ff") / ARP("10.0.0.1", "169.254.1.1"),
        "ffffffffffff020000000001080600010800060400010200000000010a000001000000000000a9fe0101",
    ),
    "IPv4 with options": (
        Ethernet() / IPv4(*FOUR, id=1, options=b"\1\1\1\1") / UDP(1, 2),
        MACS + "08004600002000010000401163c80a0000010a00000201010101000100020008ebd8",
    ),
}


@pytest.mark.parametrize(("packet", "wire"), KNOWN.values(), ids=KNOWN)
def test_a_packet_has_the_bytes_that_scapy_gives_it(packet, wire):
    """Headers, lengths and checksums agree with another implementation."""
    assert bytes(packet).hex() == wire


@pytest.mark.parametrize(("packet", "wire"), KNOWN.values(), ids=KNOWN)
def test_dissecting_the_bytes_gives_the_packet_back(packet, wire):
    """What is computed when building is None again, and all else is as it was."""
    assert dissect(bytes.fromhex(wire)) == packet


@settings(deadline=None)  # emulated machines have no sense of time
@given(packets())
def test_every_packet_survives_building_and_dissecting(packet):
    """Building and dissecting are inverse for whatever the strategy makes."""
    assert dissect(bytes(packet)) == packet


@settings(deadline=None, max_examples=25)
@given(packets())
def test_every_cut_of_a_packet_can_be_dissected(packet):
    """Bytes that end too soon are payload, and no error, as long as there is a frame."""
    data = bytes(packet)
    for end in range(14, len(data)):
        assert len(bytes(dissect(data[:end]))) <= end


def test_bytes_that_are_no_frame_are_refused():
    """What is too short for the first header is named."""
    with pytest.raises(ValueError, match="13 bytes are no Ethernet"):
        dissect(bytes(13))


@pytest.mark.parametrize(
    ("broken", "good"),
    [
        (IPv4(*FOUR, checksum=1) / UDP(1, 2), IPv4(*FOUR) / UDP(1, 2)),
        (IPv4(*FOUR) / UDP(1, 2, checksum=1), IPv4(*FOUR) / UDP(1, 2)),
        (IPv4(*FOUR) / TCP(1, 2, checksum=1), IPv4(*FOUR) / TCP(1, 2)),
        (IPv4(*FOUR) / SCTP(1, 2, checksum=1), IPv4(*FOUR) / SCTP(1, 2)),
        (IPv6(*SIX) / ICMPv6(checksum=1), IPv6(*SIX) / ICMPv6()),
    ],
)
def test_a_wrong_checksum_goes_out_and_is_found(broken, good):
    """A given checksum is in the bytes, nothing else differs, and dissecting shows it."""
    wrong, right = bytes(Ethernet() / broken), bytes(Ethernet() / good)
    assert len(wrong) == len(right)
    assert 1 <= sum(a != b for a, b in zip(wrong, right, strict=True)) <= 4
    assert dissect(wrong) == Ethernet() / broken


def test_udp_without_a_checksum_is_kept_apart_from_a_right_one():
    """Zero means none, and is not what is computed."""
    packet = Ethernet() / IPv4(*FOUR) / UDP(1, 2, checksum=0)
    assert dissect(bytes(packet))[UDP].checksum == 0


def test_a_udp_checksum_that_comes_out_as_zero_is_sent_as_ones():
    """RFC 768: zero is left for datagrams without a checksum."""
    plain = bytes(IPv4(*FOUR) / UDP(1, 2) / b"\0\0")
    complement = plain[26:28]  # added to the data, the sum becomes all ones
    packet = IPv4(*FOUR) / UDP(1, 2) / complement
    assert bytes(packet)[26:28] == b"\xff\xff"
    assert dissect(bytes(packet), IPv4) == packet


def test_fragments_of_ipv4_carry_the_whole_datagram():
    """The pieces put together are the datagram with its checksum, and only the last ends it."""
    whole = Ethernet() / IPv4(*FOUR, id=5) / UDP(1, 2) / bytes(range(40))
    parts = fragments(whole, 16)
    assert [part[IPv4].offset for part in parts] == [0, 16, 32]
    assert [part[IPv4].more_fragments for part in parts] == [True, True, False]
    assert b"".join(part.payload for part in parts) == bytes(whole)[34:]


def test_fragments_of_ipv6_have_a_fragment_header():
    """IPv6 says in a header of its own what is cut, and what it was."""
    whole = IPv6(*SIX) / TCP(1, 2) / bytes(20)
    first, second = fragments(whole, 24)
    assert first[Fragment] == Fragment(0, more_fragments=True, id=1, next_header=6)
    assert second[Fragment] == Fragment(24, more_fragments=False, id=1, next_header=6)
    assert first.payload + second.payload == bytes(whole)[40:]


def test_a_later_fragment_is_not_taken_for_a_header():
    """Bytes in the middle of a datagram are payload."""
    packet = dissect(bytes(Ethernet() / IPv4(*FOUR, protocol=6, offset=1480) / bytes(40)))
    assert TCP not in packet
    assert packet.payload == bytes(40)


def test_a_tunnel_has_two_headers_of_a_kind():
    """Indexing gives the outer header, and `all` gives both."""
    packet, _ = KNOWN["a frame inside VXLAN"]
    assert str(packet[IPv4].src) == "10.0.0.1"
    assert [str(ip.src) for ip in packet.all(IPv4)] == ["10.0.0.1", "10.1.0.1"]


def test_a_header_that_is_missing_is_named_with_those_that_are_there():
    """The error of a failed assertion says what came instead."""
    with pytest.raises(KeyError, match="no TCP in Ethernet / IPv4 / UDP"):
        (Ethernet() / IPv4(*FOUR) / UDP(1, 2))[TCP]


def test_padding_behind_the_ip_packet_is_left_out():
    """Short frames are padded by Ethernet, which is no part of what was sent."""
    packet = Ethernet() / IPv4(*FOUR) / UDP(1, 2)
    assert dissect(bytes(packet) + bytes(18)) == packet


@pytest.mark.parametrize("make", [lambda: TCP(1, 2, "SX"), lambda: Ethernet("02:00")])
def test_nonsense_is_refused_when_it_is_written(make):
    """A typo in a table of cases is an error, and no packet that tests something else."""
    with pytest.raises(ValueError, match=r"flag|6 bytes"):
        make()


def test_nothing_goes_behind_a_payload():
    """Bytes end a packet: a header behind them would be lost in them."""
    with pytest.raises(ValueError, match="4 bytes of payload"):
        Ethernet() / b"data" / TCP(1, 2)


def test_a_case_holds_bytes_and_is_named_by_its_description():
    """Cases take packets as they are written, and give pytest their names."""
    packet = Ethernet() / IPv4(*FOUR) / UDP(1, 2)
    case = Case("UDP passes", packet, verdict=1, output=packet)
    assert (str(case), case.packet, case.output) == ("UDP passes", bytes(packet), bytes(packet))
