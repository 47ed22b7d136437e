# SPDX-License-Identifier: Apache-2.0
"""The first packet of a flow, as bytes, for programs that are asked what they would do with it."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from attrs import frozen

from axoneme.model.policy import SCTP, TCP, UDP

if TYPE_CHECKING:
    from axoneme.model import Address

ICMP, ICMPV6 = 1, 58
#: No program gets it from the kernel, so that it is of no flow that conntrack knows.
UNUSED_PORT: Final = 1
_SYN = 0x02
_HOPS = 64
_INIT_CHUNK = 1
_ECHO = {ICMP: 8, ICMPV6: 128}
_ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
_ETHERNET_BYTES = 14
#: Where the addresses are in a packet, and how long each is.
_ADDRESSES = {4: (12, 4), 6: (8, 16)}


@frozen
class Flow:
    """Who speaks to whom, and on which port; ICMP has none, and its first packet is a ping."""

    source: Address
    target: Address
    protocol: int
    port: int = 0
    source_port: int = UNUSED_PORT

    def packet(self) -> bytes:
        """Return its first packet. Nobody looks at the checksums of layer 4."""
        load, pair = self._load(), self.source.packed + self.target.packed
        if self.source.version == 6:
            return struct.pack("!IHBB", 6 << 28, len(load), self.protocol, _HOPS) + pair + load
        head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(load), 0, 0, _HOPS, self.protocol)
        return head + _checksum(head + pair) + pair + load

    def _load(self) -> bytes:
        ports = struct.pack("!HH", self.source_port, self.port)
        if self.protocol == TCP:
            return ports + struct.pack("!IIBBHHH", 0, 0, 5 << 4, _SYN, 0xFFFF, 0, 0)
        if self.protocol == UDP:
            return ports + struct.pack("!HH", 8, 0)
        if self.protocol == SCTP:
            return ports + struct.pack("!IIBBHIIHHI", 0, 0, _INIT_CHUNK, 0, 20, 1, 1 << 16, 1, 1, 1)
        return struct.pack("!BBHHH", _ECHO[self.protocol], 0, 0, self.source_port, 0)


def frame(packet: bytes, source: bytes, target: bytes) -> bytes:
    """Return a packet of IP in its frame, from one MAC address to another."""
    return target + source + _ETHERTYPES[packet[0] >> 4] + packet


def unframed(data: bytes) -> bytes:
    """Return the packet that is in a frame."""
    return data[_ETHERNET_BYTES:]


def ends(packet: bytes) -> tuple[Address, Address]:
    """Return from where a packet of IP is, and where it goes."""
    at, size = _ADDRESSES[packet[0] >> 4]
    middle = at + size
    return ip_address(packet[at:middle]), ip_address(packet[middle : middle + size])


def _checksum(header: bytes) -> bytes:
    """Return the checksum of an IPv4 header that is given without it."""
    total: int = sum(struct.unpack("!9H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (total ^ 0xFFFF).to_bytes(2, "big")
