# SPDX-License-Identifier: Apache-2.0
"""The table of packets, and what stages must find in each of them."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from axoneme.testing.packets import (
    ICMP,
    SCTP,
    TCP,
    UDP,
    DestinationOptions,
    Fragment,
    HopByHop,
    ICMPv6,
    IPv4,
    IPv6,
    Packet,
    Routing,
    frame,
)

V4 = IPv4("10.0.0.1", "10.0.0.2")
V6 = IPv6("fd00::1", "fd00::2")
SEGMENT = TCP(40000, 443, "SA")
DATAGRAM = UDP(40000, 53)
NOTHING = b""


@frozen
class Row:
    """A packet, and the fields that stages must find, or the reason that drops it."""

    description: str
    packet: Packet
    expected: dict[str, Any] | str

    def __str__(self) -> str:
        """Return pytest's name for it."""
        return self.description


def with_options(count: int) -> IPv4:
    """An IPv4 header with options of this many words."""
    return IPv4("10.0.0.1", "10.0.0.2", options=b"\1" * 4 * count)


def chain(*kinds: type) -> list[Any]:
    """IPv6 with an extension header of each kind."""
    return [V6, *(kind() for kind in kinds)]


def cut(packet: Packet, length: int) -> Packet:
    """The first bytes of a packet."""
    return Packet((), bytes(packet)[:length])


PORTS = {"sport": 40000, "dport": 443, "proto": 6, "tcp_flags": 0x12}
DNS = {"sport": 40000, "dport": 53, "proto": 17, "tcp_flags": 0}
V4_ADDRESSES = {
    "saddr": bytes(10) + b"\xff\xff\x0a\0\0\1",
    "daddr": bytes(10) + b"\xff\xff\x0a\0\0\2",
}
V6_ADDRESSES = {"saddr": b"\xfd" + bytes(14) + b"\1", "daddr": b"\xfd" + bytes(14) + b"\2"}
#: struct packet.flags
ANY, FIRST = 2, 2 | 4

ROWS = [
    Row("IPv4 TCP", frame(V4, SEGMENT), {"family": 4, "l3_off": 14, "l4_off": 34, **PORTS}),
    Row("IPv4 addresses are carried mapped", frame(V4, SEGMENT), V4_ADDRESSES),
    Row("IPv4 UDP", frame(V4, DATAGRAM, b"data"), DNS),
    Row("IPv4 SCTP", frame(V4, SCTP(7, 8)), {"sport": 7, "dport": 8, "proto": 132}),
    Row("ICMP", frame(V4, ICMP(8, 3)), {"sport": 8, "dport": 3, "proto": 1, "l4_off": 34}),
    Row("IPv4 with options", frame(with_options(1), SEGMENT), {"l4_off": 38, **PORTS}),
    Row("IPv4 with all options", frame(with_options(10), SEGMENT), {"l4_off": 74, **PORTS}),
    Row("IPv4 GRE", frame(IPv4("10.0.0.1", "10.0.0.2", 47), NOTHING), {"proto": 47, "sport": 0}),
    Row(
        "the first IPv4 fragment has ports",
        frame(IPv4("10.0.0.1", "10.0.0.2", more_fragments=True), DATAGRAM),
        {"flags": FIRST, **DNS},
    ),
    Row(
        "a later IPv4 fragment has none",
        frame(IPv4("10.0.0.1", "10.0.0.2", 17, more_fragments=True, offset=8), bytes(DATAGRAM)),
        {"flags": ANY, "proto": 17, "sport": 0, "dport": 0, "l4_off": 0},
    ),
    Row(
        "the last IPv4 fragment is one, however short",
        frame(IPv4("10.0.0.1", "10.0.0.2", 17, offset=16), b"x"),
        {"flags": ANY, "l4_off": 0},
    ),
    Row(
        "do not fragment is no fragment",
        frame(IPv4("10.0.0.1", "10.0.0.2", dont_fragment=True), DATAGRAM),
        {"flags": 0},
    ),
    Row("IPv6 TCP", frame(V6, SEGMENT), {"family": 6, "l4_off": 54, **PORTS, **V6_ADDRESSES}),
    Row("ICMPv6", frame(V6, ICMPv6(135, 0)), {"sport": 135, "dport": 0, "proto": 58}),
    Row("IPv6 SCTP", frame(V6, SCTP(7, 8)), {"sport": 7, "dport": 8, "proto": 132}),
    Row("IPv6 with nothing after it", frame(V6, NOTHING), {"proto": 59, "l4_off": 0}),
    Row("IPv6 ESP", frame(IPv6("fd00::1", "fd00::2", 50), b"cipher"), {"proto": 50, "l4_off": 54}),
    Row("one extension", frame(*chain(HopByHop), SEGMENT), {"l4_off": 62, **PORTS}),
    Row(
        "four extensions",
        frame(*chain(HopByHop, DestinationOptions, Routing, DestinationOptions), SEGMENT),
        {"l4_off": 86, **PORTS},
    ),
    Row(
        "a long extension",
        frame(V6, DestinationOptions(bytes(500)), DATAGRAM),
        {"l4_off": 558, **DNS},
    ),
    Row("an extension and nothing", frame(*chain(HopByHop), NOTHING), {"proto": 59, "l4_off": 0}),
    Row("an atomic IPv6 fragment", frame(V6, Fragment(), DATAGRAM), {"flags": FIRST, **DNS}),
    Row(
        "the first IPv6 fragment has ports",
        frame(V6, Fragment(0, more_fragments=True), DATAGRAM),
        {"flags": FIRST, "l4_off": 62, **DNS},
    ),
    Row(
        "a later IPv6 fragment has none",
        frame(V6, Fragment(8, next_header=17), bytes(DATAGRAM)),
        {"flags": ANY, "proto": 17, "sport": 0, "l4_off": 0},
    ),
    Row(
        "a fragment behind options",
        frame(V6, HopByHop(), Fragment(64, next_header=6), b"data"),
        {"flags": ANY, "proto": 6, "l4_off": 0},
    ),
    Row(
        "five extensions",
        frame(*chain(*[DestinationOptions] * 5), SEGMENT),
        "invalid_ipv6_extension",
    ),
    Row(
        "an extension that begins too far away",
        frame(V6, DestinationOptions(bytes(1000)), HopByHop(), SEGMENT),
        "invalid_ipv6_extension",
    ),
    Row(
        "an extension that is cut off",
        cut(frame(*chain(HopByHop), SEGMENT), 60),
        "invalid_ipv6_extension",
    ),
    Row(
        "an extension longer than the packet",
        cut(frame(V6, DestinationOptions(bytes(100)), NOTHING), 100),
        "invalid_ipv6_extension",
    ),
    Row("no IPv4 header", cut(frame(V4), 33), "invalid_packet"),
    Row("no IPv6 header", cut(frame(V6), 53), "invalid_packet"),
    Row("no IP header at all", cut(frame(V4), 14), "invalid_packet"),
    Row(
        "version 5 in IPv4",
        frame(IPv4("10.0.0.1", "10.0.0.2", version=5), SEGMENT),
        "invalid_packet",
    ),
    Row(
        "version 4 in IPv6", frame(IPv6("fd00::1", "fd00::2", version=4), SEGMENT), "invalid_packet"
    ),
    Row(
        "an IPv4 header of four words",
        frame(IPv4("10.0.0.1", "10.0.0.2", header_words=4), SEGMENT),
        "invalid_packet",
    ),
    Row("half a TCP header", cut(frame(V4, SEGMENT), 53), "truncated_l4"),
    Row("half a UDP header", cut(frame(V6, DATAGRAM), 61), "truncated_l4"),
    Row("half an ICMP header", cut(frame(V4, ICMP()), 41), "truncated_l4"),
    Row("half an SCTP header", cut(frame(V4, SCTP(1, 2)), 41), "truncated_l4"),
    Row("IPv4 options that are cut off", cut(frame(with_options(5), SEGMENT), 50), "truncated_l4"),
    Row(
        "IPv4 options that are cut off, before what we do not know",
        cut(frame(IPv4("10.0.0.1", "10.0.0.2", 47, options=b"\1" * 20), NOTHING), 50),
        "truncated_l4",
    ),
    Row(
        "a short first fragment",
        cut(frame(IPv4("10.0.0.1", "10.0.0.2", more_fragments=True), DATAGRAM), 40),
        "truncated_l4",
    ),
]
ROWS += [
    Row(f"IPv6 {side} {address}", frame(IPv6(*addresses), SEGMENT), "mapped_address")
    for address in ("::ffff:10.0.0.1", "::ffff:0.0.0.0", "::10.0.0.1", "::1")
    for side, addresses in (("from", (address, "fd00::2")), ("to", ("fd00::1", address)))
]
