# SPDX-License-Identifier: Apache-2.0
"""Packets as stacks of headers: `Ethernet() / IPv4("10.0.0.1", "10.0.0.2") / TCP(1024, 80)`.

A field that is None is computed when the packet is built: a length, a checksum, the number of
what follows. Any other value goes out as it is, right or wrong. A dissected packet has None
where the bytes have what would be computed, so that building and dissecting are inverse.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self, TypeVar

from attrs import field, frozen

L = TypeVar("L", bound="Layer")

_NO_PROTOCOL = 253  # "for experimentation": what carries bytes of no known protocol


class Layer(ABC):
    """One header of a packet. `/` puts what it carries behind it."""

    ETHERTYPE: ClassVar[int | None] = None
    PROTOCOL: ClassVar[int | None] = None
    #: The field with the number of what follows, where there is one.
    NEXT: ClassVar[str | None] = None

    def __truediv__(self, inner: Layer | Packet | bytes) -> Packet:
        """Return a packet in which this header carries `inner`."""
        return Packet((self,)) / inner

    def __bytes__(self) -> bytes:
        """Return the header alone, which carries nothing."""
        return bytes(Packet((self,)))

    @abstractmethod
    def build(self, payload: bytes, inner: Layer | None, ip: IPLayer | None, /) -> bytes:
        """Return the bytes of this header and what it carries.

        `inner` is the next header, and `ip` the nearest IP header around this one.
        """

    @classmethod
    @abstractmethod
    def parse(cls, data: bytes, ip: IPLayer | None, /) -> tuple[Self, bytes]:
        """Return the header at the start of some bytes, and what it carries.

        Raise ValueError where the bytes are none, and struct.error where they end too soon.
        """


class IPLayer(Layer):
    """IPv4 or IPv6: what checksums above it include addresses of."""

    @abstractmethod
    def pseudo_header(self, protocol: int, length: int) -> bytes:
        """Return the bytes that a checksum begins with."""


@frozen
class Packet:
    """Headers from the outside to the inside, and the bytes behind the last one."""

    layers: tuple[Layer, ...]
    payload: bytes = field(default=b"", converter=bytes)

    def __truediv__(self, inner: Layer | Packet | bytes) -> Packet:
        """Return this packet with more headers, or bytes, behind what it has."""
        if isinstance(inner, Layer):
            inner = Packet((inner,))
        elif not isinstance(inner, Packet):
            inner = Packet((), inner)
        if self.payload:
            raise ValueError(f"a packet ends with its {len(self.payload)} bytes of payload")
        return Packet(self.layers + inner.layers, inner.payload)

    def __bytes__(self) -> bytes:
        """Return the packet as it is on the wire."""
        return build(self.layers, self.payload)

    def __contains__(self, kind: type[Layer]) -> bool:
        """Tell whether the packet has a header of a kind."""
        return any(isinstance(layer, kind) for layer in self.layers)

    def __getitem__(self, kind: type[L]) -> L:
        """Return the outermost header of a kind."""
        for layer in self.layers:
            if isinstance(layer, kind):
                return layer
        found = " / ".join(type(layer).__name__ for layer in self.layers)
        raise KeyError(f"no {kind.__name__} in {found}")

    def all(self, kind: type[L]) -> tuple[L, ...]:
        """Return all headers of a kind, the outermost first."""
        return tuple(layer for layer in self.layers if isinstance(layer, kind))


def build(layers: tuple[Layer, ...], payload: bytes, ip: IPLayer | None = None) -> bytes:
    """Return the bytes of headers and payload, inside `ip` where given."""
    if not layers:
        return payload
    layer, *rest = layers
    inside = layer if isinstance(layer, IPLayer) else ip
    carried = build(tuple(rest), payload, inside)
    return layer.build(carried, rest[0] if rest else None, ip)


def protocol_of(inner: Layer | None, none: int = _NO_PROTOCOL) -> int:
    """Return the IP protocol number of a header, or `none` for bytes."""
    return none if inner is None or inner.PROTOCOL is None else inner.PROTOCOL


def or_computed(given: int | None, computed: int) -> int:
    """Return what a field has on the wire."""
    return computed if given is None else given


def unless_computed(found: int, computed: int) -> int | None:
    """Return what a field has in a dissected header."""
    return None if found == computed else found


def mac_field(default: str) -> Any:
    """Return a field for a MAC address, given as text or bytes and kept as bytes."""
    return field(default=default, converter=_mac)


def _mac(value: str | bytes) -> bytes:
    mac = bytes.fromhex(value.replace(":", "")) if isinstance(value, str) else bytes(value)
    if len(mac) != 6:
        raise ValueError(f"a MAC address has 6 bytes, not {value!r}")
    return mac
