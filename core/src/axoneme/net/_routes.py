# SPDX-License-Identifier: Apache-2.0
"""Routes that carry the number of who keeps them, and the way that the kernel would go.

A route's protocol number says whose it is, so that its keeper finds all of its own again, also
those of an earlier process, and leaves the others alone.
"""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from axoneme.net._pyroute2 import rtmsg
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

_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_MAIN_TABLE = 254
_UNICAST, _UNREACHABLE = 1, 7
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_ONLINK = 4
_CLONED = 0x200
_ROUTE = struct.Struct("=xBxxxBxBI")  # struct rtmsg: the prefix's length, keeper, type and flags
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_METRICS, _RTA_TABLE = 1, 4, 5, 7, 8, 15
_RTAX_MTU = 2

Network: TypeAlias = IPv4Network | IPv6Network


@frozen
class KeptRoute:
    """A route of the main table to a network, by the index of a device.

    Where that is 0 the network is said to be unreachable; routes to parts of it hold all the same.
    `gateway` is taken to be on the device's link, `source` is the address that the host's own
    packets get, and `mtu` is 0 where the device's holds.
    """

    destination: Network
    device: int
    gateway: Address | None = None
    source: Address | None = None
    mtu: int = 0

    def __str__(self) -> str:
        if not self.device:
            return f"{self.destination}, which is unreachable"
        by = f" by {self.gateway}" if self.gateway else ""
        return f"{self.destination}{by}"


@frozen
class Way:
    """Where the kernel sends what is for an address: a device, and whom there, None for itself."""

    device: int
    gateway: Address | None
    source: Address | None


class RouteRequests(Socket):
    """What can be asked of kept routes; `keeper` is the protocol number of whose they are."""

    def put_route(self, route: KeptRoute, keeper: int) -> None:
        """Add a route, in place of one to the same destination."""
        message = _message(route, keeper)
        for name, address in (("RTA_GATEWAY", route.gateway), ("RTA_PREFSRC", route.source)):
            message["attrs"] += [(name, str(address))] if address else []
        if route.mtu:
            message["attrs"].append(("RTA_METRICS", {"attrs": [("RTAX_MTU", route.mtu)]}))
        if route.gateway is not None:
            message["scope"] = _SCOPE_UNIVERSE
            message["flags"] = _ONLINK
        self._request(message, _NEWROUTE, ACK | CREATE | REPLACE, f"add a route to {route}")

    def remove_route(self, route: KeptRoute, keeper: int) -> None:
        """Remove a route of a keeper's; one of somebody else's to the same destination stays."""
        message = _message(route, keeper)
        message["scope"] = _SCOPE_NOWHERE
        self._request(message, _DELROUTE, ACK, f"delete the route to {route}")

    def kept_routes(self, keeper: int) -> tuple[KeptRoute, ...]:
        """Return all routes of a keeper."""
        return tuple(route for number, route in self._main_table() if number == keeper)

    def other_routes(self, destination: Network, keeper: int) -> tuple[KeptRoute, ...]:
        """Return the routes to exactly this destination that are not the keeper's."""
        routes = (route for number, route in self._main_table() if number != keeper)
        return tuple(route for route in routes if route.destination == destination)

    def _main_table(self) -> Iterator[tuple[int, KeptRoute]]:
        """Every route of the table with the number of its keeper."""
        for family in (socket.AF_INET, socket.AF_INET6):
            message = rtmsg()
            message["family"] = family
            for data in self._request_bytes(message, _GETROUTE, DUMP, "list routes"):
                found = _read(family, data)
                if found is not None:
                    yield found

    def way_to(self, address: Address) -> Way:
        """Ask the kernel which way it would send what is for an address.

        Raises:
            NetworkError: it has none.
        """
        message = rtmsg()
        message["family"] = socket.AF_INET if address.version == 4 else socket.AF_INET6
        message["dst_len"] = address.max_prefixlen
        message["attrs"] = [("RTA_DST", str(address))]
        (found,) = self._request(message, _GETROUTE, ACK, f"find the way to {address}")
        return Way(
            found.get_attr("RTA_OIF"),
            _address(found, "RTA_GATEWAY"),
            _address(found, "RTA_PREFSRC"),
        )


def _message(route: KeptRoute, keeper: int) -> Any:
    message = rtmsg()
    message["family"] = socket.AF_INET if route.destination.version == 4 else socket.AF_INET6
    message["dst_len"] = route.destination.prefixlen
    message["table"] = _MAIN_TABLE
    message["proto"] = keeper
    message["attrs"] = [("RTA_DST", str(route.destination.network_address))]
    if route.device:
        message["type"], message["scope"] = _UNICAST, _SCOPE_LINK
        message["attrs"].append(("RTA_OIF", route.device))
    else:
        message["type"], message["scope"] = _UNREACHABLE, _SCOPE_UNIVERSE
    return message


def _read(family: int, data: bytes) -> tuple[int, KeptRoute] | None:
    """Read an rtmsg: its keeper's number and the route, None if it is of another table."""
    length, proto, kind, flags = _ROUTE.unpack_from(data, HEADER_BYTES)
    found = read_attributes(data, HEADER_BYTES + _ROUTE.size)
    if _number(found.get(_RTA_TABLE)) != _MAIN_TABLE or flags & _CLONED:
        return None
    start = found.get(_RTA_DST) or bytes(16 if family == socket.AF_INET6 else 4)
    gateway, source = found.get(_RTA_GATEWAY), found.get(_RTA_PREFSRC)
    metrics = read_attributes(found.get(_RTA_METRICS, b""))
    return proto, KeptRoute(
        ip_network((start, length)),
        _number(found.get(_RTA_OIF)) if kind != _UNREACHABLE else 0,
        ip_address(gateway) if gateway else None,
        ip_address(source) if source else None,
        _number(metrics.get(_RTAX_MTU)),
    )


def _number(data: bytes | None) -> int:
    return int.from_bytes(data or b"", sys.byteorder)


def _address(message: Any, name: str) -> Address | None:
    text = message.get_attr(name)
    return ip_address(text) if text else None
