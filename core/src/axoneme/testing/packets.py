# SPDX-License-Identifier: Apache-2.0
"""Packets for test runs of programs: make them, take them apart, and tables of cases.

    CASES = [
        Case("a SYN to the closed port is dropped",
             Ethernet() / IPv4("10.1.0.1", "10.1.0.2") / TCP(40000, 8080), verdict=2),
    ]

The rules of fields are those of the module `_layers`: None is computed, all else goes out as is.
"""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen
from attrs.converters import optional

from axoneme.testing._frames import ARP, VXLAN, Ethernet
from axoneme.testing._internet import (
    DestinationOptions,
    Fragment,
    HopByHop,
    IPv4,
    IPv6,
    Routing,
)
from axoneme.testing._layers import IPLayer, Layer, Packet, build, protocol_of
from axoneme.testing._transport import ICMP, SCTP, TCP, UDP, ICMPv6

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "ARP",
    "ICMP",
    "SCTP",
    "TCP",
    "UDP",
    "VXLAN",
    "Case",
    "DestinationOptions",
    "Ethernet",
    "Fragment",
    "HopByHop",
    "ICMPv6",
    "IPv4",
    "IPv6",
    "Layer",
    "Packet",
    "Routing",
    "dissect",
    "fragments",
    "frame",
]

_KINDS: tuple[type[Layer], ...] = (
    ARP,
    DestinationOptions,
    Fragment,
    HopByHop,
    ICMP,
    ICMPv6,
    IPv4,
    IPv6,
    Routing,
    SCTP,
    TCP,
    UDP,
)
_ETHERTYPES = {kind.ETHERTYPE: kind for kind in _KINDS if kind.ETHERTYPE is not None}
_PROTOCOLS = {kind.PROTOCOL: kind for kind in _KINDS if kind.PROTOCOL is not None}


def frame(*layers: Layer | bytes) -> Packet:
    """Return an Ethernet frame of these headers, behind which data may come."""
    packet = Packet((Ethernet(),))
    for layer in layers:
        packet = packet / layer
    return packet


@frozen
class Case:
    """One row of a table: what goes into a program, and what must come of it.

    `reason` is that of a drop. `output` is the packet afterwards, where it matters. `context`
    has fields of the program's context, such as the mark, by their names.
    """

    description: str
    packet: bytes = field(converter=bytes)
    verdict: int
    reason: int | str | None = None
    output: bytes | None = field(default=None, converter=optional(bytes))
    context: Mapping[str, int] = field(factory=dict, converter=MappingProxyType)

    def __str__(self) -> str:
        """Return the description, as pytest's name for it: `ids=str`."""
        return self.description


def dissect(data: bytes, first: type[Layer] = Ethernet) -> Packet:
    """Take a packet apart; what is not understood is payload.

    Bytes behind the IP packet's own length, such as Ethernet's padding, are left out.
    """
    try:
        return _dissect(first, bytes(data), None)
    except (ValueError, struct.error) as error:
        raise ValueError(f"{len(data)} bytes are no {first.__name__}: {error}") from error


def _dissect(kind: type[Layer], data: bytes, ip: IPLayer | None) -> Packet:
    layer, rest = kind.parse(data, ip)
    following = _following(layer)
    if following is not None:
        try:
            inner = _dissect(following, rest, layer if isinstance(layer, IPLayer) else ip)
        except (ValueError, struct.error):
            return Packet((layer,), rest)
        if layer.NEXT is not None:
            layer = evolve(layer, **{layer.NEXT: None})  # type: ignore[misc] # all are attrs
        return Packet((layer, *inner.layers), inner.payload)
    return Packet((layer,), rest)


def _following(layer: Layer) -> type[Layer] | None:
    """Return what a header says comes next."""
    match layer:
        case Ethernet():
            return _ETHERTYPES.get(layer.type or 0)
        case IPv4(offset=0):
            return _PROTOCOLS.get(layer.protocol or 0)
        case IPv6() | HopByHop() | DestinationOptions() | Routing() | Fragment(offset=0):
            return _PROTOCOLS.get(layer.next_header or 0)
    return _enclosed(layer)


def _enclosed(layer: Layer) -> type[Layer] | None:
    """Return what a header carries without a field that says so: a tunnel, an error's subject."""
    match layer:
        case UDP() if layer.dport in VXLAN.PORTS:
            return VXLAN
        case VXLAN():
            return Ethernet
        case ICMP() if layer.type in layer.ERRORS:
            return IPv6 if isinstance(layer, ICMPv6) else IPv4
    return None


def fragments(packet: Packet, size: int) -> tuple[Packet, ...]:
    """Cut what the outermost IP header carries into fragments of `size` bytes, the last shorter."""
    if size <= 0 or size % 8:
        raise ValueError(f"fragments have a multiple of 8 bytes, not {size}")
    at = packet.layers.index(packet[IPLayer])  # type: ignore[type-abstract]
    ip, upper = packet.layers[at], packet.layers[at + 1 :]
    data = build(upper, packet.payload, packet[IPLayer])  # type: ignore[type-abstract]
    protocol = protocol_of(upper[0] if upper else None)
    cut = _cut4 if isinstance(ip, IPv4) else _cut6
    return tuple(
        Packet((*packet.layers[:at], *cut(ip, protocol, offset, offset + size < len(data))), part)
        for offset, part in _parts(data, size)
    )


def _parts(data: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    for offset in range(0, len(data), size):
        yield offset, data[offset : offset + size]


def _cut4(ip: Layer, protocol: int, offset: int, more: bool) -> tuple[Layer, ...]:
    assert isinstance(ip, IPv4)
    return (evolve(ip, protocol=protocol, offset=offset, more_fragments=more),)


def _cut6(ip: Layer, protocol: int, offset: int, more: bool) -> tuple[Layer, ...]:
    assert isinstance(ip, IPv6)
    return evolve(ip, next_header=None), Fragment(offset, more, 1, protocol)
