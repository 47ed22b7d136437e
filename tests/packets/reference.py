# SPDX-License-Identifier: Apache-2.0
"""A second parser of packets, written from the RFCs, to compare the trunks' with."""

from __future__ import annotations

import struct
from ipaddress import IPv6Address, IPv6Network

from attrs import evolve, field, frozen

ETHERNET, IPV4, IPV6 = 14, 20, 40
ETHERTYPE_IPV4, ETHERTYPE_IPV6 = 0x0800, 0x86DD
HOP_BY_HOP, ICMP, TCP, UDP, ROUTING, FRAGMENT = 0, 1, 6, 17, 43, 44
ICMPV6, NO_NEXT_HEADER, DESTINATION_OPTIONS, SCTP = 58, 59, 60, 132
EXTENSIONS = {HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS}
MOST_EXTENSIONS = 4
FARTHEST_EXTENSION = 1024
#: Bytes of each header that the trunks read.
LEAST = {TCP: 20, UDP: 8, SCTP: 8, ICMP: 8, ICMPV6: 8}

IS_FRAGMENT, IS_FIRST_FRAGMENT = 2, 4

MAPPED = IPv6Network("::ffff:0:0/96")
COMPATIBLE = IPv6Network("::/96")
UNSPECIFIED = IPv6Address("::")


@frozen
class Parsed:
    """What stages are told of a packet, by the names of struct packet's fields."""

    family: int
    saddr: bytes
    daddr: bytes
    proto: int
    len: int
    flags: int = 0
    l3_off: int = ETHERNET
    l4_off: int = 0
    sport: int = 0
    dport: int = 0
    tcp_flags: int = 0


@frozen
class NotIp:
    """A frame that carries something else."""

    type: int


@frozen
class Broken:
    """A packet that is dropped before any stage, for a reason."""

    reason: str


Result = Parsed | NotIp | Broken


@frozen
class _Place:
    """Where layer 4 begins, or None if there is none to read."""

    proto: int
    at: int | None
    flags: int = field(default=0)


def parse(frame: bytes) -> Result:
    """What a trunk must make of a frame."""
    (kind,) = struct.unpack_from("!H", frame, ETHERNET - 2)
    if kind == ETHERTYPE_IPV4:
        return _parse_ipv4(frame)
    if kind == ETHERTYPE_IPV6:
        return _parse_ipv6(frame)
    return NotIp(kind)


def _parse_ipv4(frame: bytes) -> Result:
    header = frame[ETHERNET : ETHERNET + IPV4]
    if len(header) < IPV4 or header[0] >> 4 != 4 or header[0] & 15 < 5:
        return Broken("invalid_packet")
    (place,) = struct.unpack_from("!H", header, 6)
    offset, more = place & 0x1FFF, bool(place & 0x2000)
    flags = IS_FRAGMENT if offset or more else 0
    flags |= IS_FIRST_FRAGMENT if more and not offset else 0
    at = None if offset else ETHERNET + (header[0] & 15) * 4
    mapped = bytes(10) + b"\xff\xff"
    parsed = Parsed(4, mapped + header[12:16], mapped + header[16:20], header[9], len(frame))
    return _parse_l4(frame, parsed, _Place(header[9], at, flags))


def _parse_ipv6(frame: bytes) -> Result:
    header = frame[ETHERNET : ETHERNET + IPV6]
    if len(header) < IPV6 or header[0] >> 4 != 6:
        return Broken("invalid_packet")
    addresses = header[8:24], header[24:40]
    if any(map(_poses_as_ipv4, map(IPv6Address, addresses))):
        return Broken("mapped_address")
    place = _skip_extensions(frame, header[6])
    if place is None:
        return Broken("invalid_ipv6_extension")
    return _parse_l4(frame, Parsed(6, *addresses, place.proto, len(frame)), place)


def _poses_as_ipv4(address: IPv6Address) -> bool:
    return address in MAPPED or (address in COMPATIBLE and address != UNSPECIFIED)


def _skip_extensions(frame: bytes, proto: int) -> _Place | None:
    at, flags = ETHERNET + IPV6, 0
    for _ in range(MOST_EXTENSIONS):
        if proto not in EXTENSIONS:
            break
        if at > FARTHEST_EXTENSION or len(frame) < at + 8:
            return None
        following, units, place = struct.unpack_from("!BBH", frame, at)
        if proto == FRAGMENT:
            if place & 0xFFF8:
                return _Place(following, None, flags | IS_FRAGMENT)
            flags |= IS_FRAGMENT | IS_FIRST_FRAGMENT
            units = 0
        proto = following
        at += (units + 1) * 8
        if at > len(frame):
            return None
    if proto in EXTENSIONS:
        return None
    return _Place(proto, None if proto == NO_NEXT_HEADER else at, flags)


def _parse_l4(frame: bytes, parsed: Parsed, place: _Place) -> Result:
    parsed = evolve(parsed, proto=place.proto, flags=place.flags)
    if place.at is None:
        return parsed
    header = frame[place.at :]
    if place.at > len(frame) or len(header) < LEAST.get(place.proto, 0):
        return Broken("truncated_l4")
    parsed = evolve(parsed, l4_off=place.at)
    match place.proto:
        case p if p in (ICMP, ICMPV6):
            return evolve(parsed, sport=header[0], dport=header[1])
        case p if p in LEAST:
            sport, dport = struct.unpack_from("!HH", header)
            flags = header[13] if p == TCP else 0
            return evolve(parsed, sport=sport, dport=dport, tcp_flags=flags)
    return parsed
