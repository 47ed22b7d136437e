# SPDX-License-Identifier: Apache-2.0
"""Headers of the link: Ethernet, ARP, and VXLAN, which carries Ethernet again."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, ClassVar, Self

from attrs import field, frozen

from axoneme.testing._layers import Layer, mac_field, or_computed

if TYPE_CHECKING:
    from axoneme.testing._layers import IPLayer

_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ARP_START = (1, 0x0800, 6, 4)
_VXLAN = struct.Struct("!B3xI")
_LOCAL_EXPERIMENTAL = 0x88B5


@frozen
class Ethernet(Layer):
    """An Ethernet header; `type` is the EtherType."""

    NEXT: ClassVar[str | None] = "type"

    src: bytes = mac_field("02:00:00:00:00:01")
    dst: bytes = mac_field("02:00:00:00:00:02")
    type: int | None = None

    def build(self, payload: bytes, inner: Layer | None, _ip: IPLayer | None, /) -> bytes:
        """Return the frame, without padding."""
        known = _LOCAL_EXPERIMENTAL if inner is None else inner.ETHERTYPE
        kind = or_computed(self.type, known or _LOCAL_EXPERIMENTAL)
        return _ETHERNET.pack(self.dst, self.src, kind) + payload

    @classmethod
    def parse(cls, data: bytes, _ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and what follows it."""
        dst, src, kind = _ETHERNET.unpack_from(data)
        return cls(src, dst, kind), data[_ETHERNET.size :]


@frozen
class ARP(Layer):
    """An ARP message for IPv4 over Ethernet; operation 1 asks and 2 answers."""

    ETHERTYPE: ClassVar[int | None] = 0x0806

    sender: IPv4Address = field(converter=IPv4Address)
    target: IPv4Address = field(converter=IPv4Address)
    operation: int = 1
    sender_mac: bytes = mac_field("02:00:00:00:00:01")
    target_mac: bytes = mac_field("00:00:00:00:00:00")

    def build(self, payload: bytes, _inner: Layer | None, _ip: IPLayer | None, /) -> bytes:
        """Return the message."""
        sender = (self.sender_mac, self.sender.packed)
        target = (self.target_mac, self.target.packed)
        return _ARP.pack(*_ARP_START, self.operation, *sender, *target) + payload

    @classmethod
    def parse(cls, data: bytes, _ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the message and what follows it."""
        *start, operation, mac, sender, target_mac, target = _ARP.unpack_from(data)
        if tuple(start) != _ARP_START:
            raise ValueError("not ARP for IPv4 over Ethernet")
        message = cls(sender, target, operation, mac, target_mac)
        return message, data[_ARP.size :]


@frozen
class VXLAN(Layer):
    """A VXLAN header; `flags` 8 says that the network identifier counts."""

    PORTS: ClassVar[tuple[int, ...]] = (4789, 8472)

    vni: int
    flags: int = 0x08

    def build(self, payload: bytes, _inner: Layer | None, _ip: IPLayer | None, /) -> bytes:
        """Return the header and the frame in it."""
        return _VXLAN.pack(self.flags, self.vni << 8) + payload

    @classmethod
    def parse(cls, data: bytes, _ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header and the frame in it."""
        flags, number = _VXLAN.unpack_from(data)
        return cls(number >> 8, flags), data[_VXLAN.size :]
