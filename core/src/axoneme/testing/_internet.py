# SPDX-License-Identifier: Apache-2.0
"""IPv4, and IPv6 with its extension headers."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, Self

from attrs import field, frozen

from axoneme.testing._checksums import internet_checksum
from axoneme.testing._layers import IPLayer, Layer, or_computed, protocol_of

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_FRAGMENT = struct.Struct("!BxHI")
_RESERVED, _DONT_FRAGMENT, _MORE_FRAGMENTS = 0x8000, 0x4000, 0x2000
_NO_NEXT_HEADER = 59
_PAD1, _PADN = b"\0", b"\1"


@frozen
class IPv4(IPLayer):
    """An IPv4 header. `offset` counts bytes; `options` are a multiple of four."""

    ETHERTYPE: ClassVar[int | None] = 0x0800
    PROTOCOL: ClassVar[int | None] = 4
    NEXT: ClassVar[str | None] = "protocol"

    src: IPv4Address = field(converter=IPv4Address)
    dst: IPv4Address = field(converter=IPv4Address)
    protocol: int | None = None
    ttl: int = 64
    tos: int = 0
    id: int = 0
    dont_fragment: bool = False
    more_fragments: bool = False
    offset: int = 0
    options: bytes = b""
    version: int = 4
    header_words: int | None = None
    length: int | None = None
    checksum: int | None = None

    def build(self, payload: bytes, inner: Layer | None, _ip: IPLayer | None, /) -> bytes:
        """Return the header and what it carries."""
        size = _IPV4.size + len(self.options)
        words = or_computed(self.header_words, size // 4)
        flags = self.dont_fragment * _DONT_FRAGMENT | self.more_fragments * _MORE_FRAGMENTS
        header = bytearray(
            _IPV4.pack(
                self.version << 4 | words,
                self.tos,
                or_computed(self.length, size + len(payload)),
                self.id,
                flags | self.offset // 8,
                self.ttl,
                or_computed(self.protocol, protocol_of(inner)),
                0,
                self.src.packed,
                self.dst.packed,
            )
            + self.options
        )
        checksum = or_computed(self.checksum, internet_checksum(bytes(header)))
        struct.pack_into("!H", header, 10, checksum)
        return bytes(header) + payload

    @classmethod
    def parse(cls, data: bytes, _ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and what it carries, without what is behind its length."""
        first, tos, length, number, place, ttl, protocol, checksum, src, dst = _IPV4.unpack_from(
            data
        )
        size = (first & 0xF) * 4
        if first >> 4 != 4 or not _IPV4.size <= size <= len(data) or place & _RESERVED:
            raise ValueError("not an IPv4 header")
        header = cls(
            src,
            dst,
            protocol=protocol,
            ttl=ttl,
            tos=tos,
            id=number,
            dont_fragment=bool(place & _DONT_FRAGMENT),
            more_fragments=bool(place & _MORE_FRAGMENTS),
            offset=(place & 0x1FFF) * 8,
            options=data[_IPV4.size : size],
            length=length if length < size or length > len(data) else None,
            checksum=checksum if internet_checksum(data[:size]) else None,
        )
        return header, data[size : max(length, size)]

    def pseudo_header(self, protocol: int, length: int) -> bytes:
        """Return the bytes that a checksum begins with."""
        return self.src.packed + self.dst.packed + struct.pack("!BBH", 0, protocol, length)


@frozen
class IPv6(IPLayer):
    """An IPv6 header."""

    ETHERTYPE: ClassVar[int | None] = 0x86DD
    PROTOCOL: ClassVar[int | None] = 41
    NEXT: ClassVar[str | None] = "next_header"

    src: IPv6Address = field(converter=IPv6Address)
    dst: IPv6Address = field(converter=IPv6Address)
    next_header: int | None = None
    hop_limit: int = 64
    traffic_class: int = 0
    flow_label: int = 0
    version: int = 6
    length: int | None = None

    def build(self, payload: bytes, inner: Layer | None, _ip: IPLayer | None, /) -> bytes:
        """Return the header and what it carries."""
        header = _IPV6.pack(
            self.version << 28 | self.traffic_class << 20 | self.flow_label,
            or_computed(self.length, len(payload)),
            or_computed(self.next_header, protocol_of(inner, _NO_NEXT_HEADER)),
            self.hop_limit,
            self.src.packed,
            self.dst.packed,
        )
        return header + payload

    @classmethod
    def parse(cls, data: bytes, _ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and what it carries, without what is behind its length."""
        first, length, following, hops, src, dst = _IPV6.unpack_from(data)
        if first >> 28 != 6:
            raise ValueError("not an IPv6 header")
        end = _IPV6.size + length
        header = cls(
            src,
            dst,
            next_header=following,
            hop_limit=hops,
            traffic_class=first >> 20 & 0xFF,
            flow_label=first & 0xFFFFF,
            length=length if end > len(data) else None,
        )
        return header, data[_IPV6.size : end]

    def pseudo_header(self, protocol: int, length: int) -> bytes:
        """Return the bytes that a checksum begins with."""
        return self.src.packed + self.dst.packed + struct.pack("!IxxxB", length, protocol)


def _padded(options: bytes) -> bytes:
    """Fill options up, so that the header with them is a multiple of eight bytes."""
    missing = -(len(options) + 2) % 8
    if missing < 2:
        return options + _PAD1 * missing
    return options + _PADN + bytes([missing - 2]) + bytes(missing - 2)


@frozen
class _Options(Layer):
    """An extension header of options, which are padded where they need it."""

    NEXT: ClassVar[str | None] = "next_header"

    options: bytes = field(default=b"", converter=_padded)
    next_header: int | None = None

    def build(self, payload: bytes, inner: Layer | None, _ip: IPLayer | None, /) -> bytes:
        """Return the header and what it carries."""
        following = or_computed(self.next_header, protocol_of(inner, _NO_NEXT_HEADER))
        return bytes([following, len(self.options) // 8]) + self.options + payload

    @classmethod
    def parse(cls, data: bytes, _ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and what it carries."""
        following, units = struct.unpack_from("!BB", data)
        size = (units + 1) * 8
        if size > len(data):
            raise ValueError("an extension header that is cut off")
        return cls(data[2:size], following), data[size:]


@frozen
class HopByHop(_Options):
    """IPv6's hop-by-hop options."""

    PROTOCOL: ClassVar[int | None] = 0


@frozen
class DestinationOptions(_Options):
    """IPv6's destination options."""

    PROTOCOL: ClassVar[int | None] = 60


@frozen
class Routing(_Options):
    """IPv6's routing header; `options` are its type, segments left and data."""

    PROTOCOL: ClassVar[int | None] = 43


@frozen
class Fragment(Layer):
    """IPv6's fragment header. `offset` counts bytes."""

    PROTOCOL: ClassVar[int | None] = 44
    NEXT: ClassVar[str | None] = "next_header"

    offset: int = 0
    more_fragments: bool = False
    id: int = 0
    next_header: int | None = None

    def build(self, payload: bytes, inner: Layer | None, _ip: IPLayer | None, /) -> bytes:
        """Return the header and what it carries."""
        following = or_computed(self.next_header, protocol_of(inner, _NO_NEXT_HEADER))
        return _FRAGMENT.pack(following, self.offset | self.more_fragments, self.id) + payload

    @classmethod
    def parse(cls, data: bytes, _ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and what it carries."""
        following, place, number = _FRAGMENT.unpack_from(data)
        header = cls(place & 0xFFF8, bool(place & 1), number, following)
        return header, data[_FRAGMENT.size :]
