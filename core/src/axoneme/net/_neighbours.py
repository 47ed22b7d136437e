# SPDX-License-Identifier: Apache-2.0
"""Neighbours that the kernel keeps fresh for somebody: it asks for their MAC addresses itself."""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from attrs import frozen

from axoneme.net._pyroute2 import ndmsg
from axoneme.net._socket import (
    ACK,
    CREATE,
    DUMP,
    HEADER_BYTES,
    REPLACE,
    Socket,
    read_attributes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.model import Address

_NEWNEIGH, _DELNEIGH, _GETNEIGH = 28, 29, 30
_PERMANENT = 0x80
_MANAGED = 0x1  # of the extended flags
#: struct ndmsg: family, device, state, flags, type; and attributes by their number.
_HEAD = struct.Struct("=BxxxiHBB")
_DST, _PROTOCOL, _FLAGS_EXT = 1, 12, 15


@frozen
class KeptNeighbour:
    """An address on the link of a device, by the device's index."""

    device: int
    address: Address

    def __str__(self) -> str:
        return str(self.address)


class NeighbourRequests(Socket):
    """What can be asked of kept neighbours; `keeper` is the protocol number of whose they are."""

    def keep_neighbour(self, neighbour: KeptNeighbour, keeper: int) -> None:
        """Have the kernel find a neighbour's MAC address, and ask again before it is stale."""
        message = _message(neighbour)
        message["attrs"] += [("NDA_PROTOCOL", keeper), ("NDA_FLAGS_EXT", _MANAGED)]
        self._request(message, _NEWNEIGH, ACK | CREATE | REPLACE, f"keep neighbour {neighbour}")

    def drop_neighbour(self, neighbour: KeptNeighbour) -> None:
        """Forget a neighbour; whoever speaks to it next has it found again."""
        self._request(_message(neighbour), _DELNEIGH, ACK, f"delete neighbour {neighbour}")

    def kept_neighbours(self, keeper: int) -> tuple[KeptNeighbour, ...]:
        """Return the neighbours that are kept for a keeper."""
        return tuple(
            one.neighbour
            for one in self._all()
            if one.number(_PROTOCOL) == keeper and one.number(_FLAGS_EXT) & _MANAGED
        )

    def permanent_neighbours(self) -> tuple[KeptNeighbour, ...]:
        """Return the neighbours whose MAC addresses somebody gave for good."""
        return tuple(one.neighbour for one in self._all() if one.state & _PERMANENT)

    def _all(self) -> Iterator[_Found]:
        for family in (socket.AF_INET, socket.AF_INET6):
            message = ndmsg()
            message["family"] = int(family)
            for data in self._request_bytes(message, _GETNEIGH, DUMP, "list neighbours"):
                _, device, state, _, _ = _HEAD.unpack_from(data, HEADER_BYTES)
                attributes = read_attributes(data, HEADER_BYTES + _HEAD.size)
                yield _Found(device, state, attributes)


@frozen
class _Found:
    """A neighbour as the kernel has it: each pod has some, so that pyroute2 would take long."""

    device: int
    state: int
    attributes: dict[int, bytes]

    @property
    def neighbour(self) -> KeptNeighbour:
        """Its address, and where it is."""
        return KeptNeighbour(self.device, ip_address(self.attributes[_DST]))

    def number(self, attribute: int) -> int:
        """An attribute that is a number; 0 if it is not there."""
        return int.from_bytes(self.attributes.get(attribute, b""), sys.byteorder)


def _message(neighbour: KeptNeighbour) -> Any:
    message = ndmsg()
    message["family"] = socket.AF_INET if neighbour.address.version == 4 else socket.AF_INET6
    message["ifindex"] = neighbour.device
    message["attrs"] = [("NDA_DST", str(neighbour.address))]
    return message
