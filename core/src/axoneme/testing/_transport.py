# SPDX-License-Identifier: Apache-2.0
"""What IP carries: TCP, UDP, SCTP, ICMP and ICMPv6."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, ClassVar, Self

from attrs import field, frozen

from axoneme.testing._checksums import crc32c, internet_checksum
from axoneme.testing._layers import Layer, or_computed, unless_computed

if TYPE_CHECKING:
    from axoneme.testing._layers import IPLayer

_TCP = struct.Struct("!HHIIHHHH")
_UDP = struct.Struct("!HHHH")
_SCTP = struct.Struct("!HHI4s")
_ICMP = struct.Struct("!BBH4s")
_FLAGS = "FSRPAUEC"
_NO_ADDRESSES = b""


def _checksum(protocol: int, data: bytes, ip: IPLayer | None) -> int:
    """Return a checksum that includes the addresses of the IP header around it."""
    start = _NO_ADDRESSES if ip is None else ip.pseudo_header(protocol, len(data))
    return internet_checksum(start + data)


def _with_checksum(
    protocol: int, data: bytes, ip: IPLayer | None, at: int, given: int | None
) -> bytes:
    """Fill in the checksum of a header whose checksum is zero."""
    checksum = or_computed(given, _checksum(protocol, data, ip))
    return data[:at] + struct.pack("!H", checksum) + data[at + 2 :]


def _flags(letters: str) -> str:
    """Put the letters of flags into the order of their bits."""
    unknown = set(letters) - set(_FLAGS)
    if unknown:
        raise ValueError(f"TCP has no flag {unknown}; its flags are {_FLAGS}")
    return "".join(letter for letter in _FLAGS if letter in letters)


@frozen
class TCP(Layer):
    """A TCP header; `flags` are letters, S for SYN and A for ACK, and `options` fill words."""

    PROTOCOL: ClassVar[int | None] = 6

    sport: int
    dport: int
    flags: str = field(default="S", converter=_flags)
    seq: int = 0
    ack: int = 0
    window: int = 65535
    options: bytes = b""
    urgent: int = 0
    header_words: int | None = None
    checksum: int | None = None

    def build(self, payload: bytes, _inner: Layer | None, ip: IPLayer | None, /) -> bytes:
        """Return the segment."""
        words = or_computed(self.header_words, (_TCP.size + len(self.options)) // 4)
        bits = sum(1 << _FLAGS.index(letter) for letter in self.flags)
        ports = (self.sport, self.dport, self.seq, self.ack)
        header = _TCP.pack(*ports, words << 12 | bits, self.window, 0, self.urgent)
        return _with_checksum(6, header + self.options + payload, ip, 16, self.checksum)

    @classmethod
    def parse(cls, data: bytes, ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and the data."""
        sport, dport, seq, ack, place, window, checksum, urgent = _TCP.unpack_from(data)
        size = (place >> 12) * 4
        if not _TCP.size <= size <= len(data):
            raise ValueError("not a TCP header")
        header = cls(
            sport,
            dport,
            "".join(letter for bit, letter in enumerate(_FLAGS) if place >> bit & 1),
            seq,
            ack,
            window,
            data[_TCP.size : size],
            urgent,
            checksum=checksum if _checksum(6, data, ip) else None,
        )
        return header, data[size:]


@frozen
class UDP(Layer):
    """A UDP header; a `checksum` of 0 says that there is none."""

    PROTOCOL: ClassVar[int | None] = 17

    sport: int
    dport: int
    length: int | None = None
    checksum: int | None = None

    def build(self, payload: bytes, _inner: Layer | None, ip: IPLayer | None, /) -> bytes:
        """Return the datagram."""
        length = or_computed(self.length, _UDP.size + len(payload))
        data = _UDP.pack(self.sport, self.dport, length, 0) + payload
        # A checksum that comes out as 0 is sent as its other form, since 0 means none.
        right = _checksum(17, data, ip) or 0xFFFF
        return _with_checksum(17, data, ip, 6, or_computed(self.checksum, right))

    @classmethod
    def parse(cls, data: bytes, ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and the data."""
        sport, dport, length, checksum = _UDP.unpack_from(data)
        wrong = checksum == 0 or _checksum(17, data, ip)
        header = cls(
            sport,
            dport,
            unless_computed(length, len(data)),
            checksum if wrong else None,
        )
        return header, data[_UDP.size :]


@frozen
class SCTP(Layer):
    """An SCTP header; the chunks behind it are bytes."""

    PROTOCOL: ClassVar[int | None] = 132

    sport: int
    dport: int
    tag: int = 0
    checksum: int | None = None

    def build(self, payload: bytes, _inner: Layer | None, _ip: IPLayer | None, /) -> bytes:
        """Return the header and the chunks."""
        ports = (self.sport, self.dport, self.tag)
        computed = crc32c(_SCTP.pack(*ports, bytes(4)) + payload)
        checksum = struct.pack("<I", or_computed(self.checksum, computed))
        return _SCTP.pack(*ports, checksum) + payload

    @classmethod
    def parse(cls, data: bytes, _ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and the chunks."""
        sport, dport, tag, found = _SCTP.unpack_from(data)
        computed = crc32c(data[:8] + bytes(4) + data[_SCTP.size :])
        checksum = unless_computed(int.from_bytes(found, "little"), computed)
        return cls(sport, dport, tag, checksum), data[_SCTP.size :]


@frozen
class ICMP(Layer):
    """An ICMP header; `rest` is its second word. An error carries the packet it is about."""

    PROTOCOL: ClassVar[int | None] = 1
    ECHO: ClassVar[tuple[int, int]] = (8, 0)
    ERRORS: ClassVar[frozenset[int]] = frozenset({3, 4, 5, 11, 12})

    type: int = 8
    code: int = 0
    rest: bytes = bytes(4)
    checksum: int | None = None

    @classmethod
    def echo(cls, id: int, seq: int = 1, *, reply: bool = False) -> Self:  # noqa: A002 - its name
        """Return the header of an echo request, or of the reply to one."""
        return cls(cls.ECHO[reply], 0, struct.pack("!HH", id, seq))

    def build(self, payload: bytes, _inner: Layer | None, ip: IPLayer | None, /) -> bytes:
        """Return the message."""
        data = _ICMP.pack(self.type, self.code, 0, self.rest) + payload
        return _with_checksum(self.PROTOCOL or 0, data, self._around(ip), 2, self.checksum)

    @classmethod
    def parse(cls, data: bytes, ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and what it carries."""
        kind, code, checksum, rest = _ICMP.unpack_from(data)
        wrong = _checksum(cls.PROTOCOL or 0, data, cls._around(ip))
        return cls(kind, code, rest, checksum if wrong else None), data[_ICMP.size :]

    @staticmethod
    def _around(_ip: IPLayer | None, /) -> IPLayer | None:
        """Return the IP header that the checksum includes: none."""
        return None


@frozen
class ICMPv6(ICMP):
    """An ICMPv6 header, whose checksum includes the addresses."""

    PROTOCOL: ClassVar[int | None] = 58
    ECHO: ClassVar[tuple[int, int]] = (128, 129)
    ERRORS: ClassVar[frozenset[int]] = frozenset({1, 2, 3, 4})

    @staticmethod
    def _around(ip: IPLayer | None, /) -> IPLayer | None:
        return ip
