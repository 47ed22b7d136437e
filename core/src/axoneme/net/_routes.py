# SPDX-License-Identifier: Apache-2.0
"""Routes that carry the number of who keeps them, and the way that the kernel would go.

A route's protocol number says whose it is, so that its keeper finds all of its own again, also
those of an earlier process, and leaves the others alone.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from axoneme.net._pyroute2 import rtmsg
from axoneme.net._socket import ACK, CREATE, DUMP, HEADER_BYTES, REPLACE, Socket, decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.model import Address

_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_MAIN_TABLE = 254
_UNICAST, _UNREACHABLE = 1, 7
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255
_ONLINK = 4
_CLONED = 0x200
#: struct rtmsg: family, length of the destination, table, protocol, scope, type, flags.
_HEAD = struct.Struct("=BBxxBBBBI")

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
        return tuple(_route(one) for one in self._main_table(lambda _, proto: proto == keeper))

    def other_routes(self, destination: Network, keeper: int) -> tuple[KeptRoute, ...]:
        """Return the routes to exactly this destination that are not the keeper's."""
        length = destination.prefixlen
        found = self._main_table(lambda long, proto: long == length and proto != keeper)
        return tuple(route for route in map(_route, found) if route.destination == destination)

    def _main_table(self, wanted: Callable[[int, int], bool]) -> Iterator[Any]:
        """Yield routes by prefix length and protocol: pods have many, and to decode one is slow."""
        for family in (socket.AF_INET, socket.AF_INET6):
            message = rtmsg()
            message["family"] = family
            for data in self._request_bytes(message, _GETROUTE, DUMP, "list routes"):
                _, length, table, proto, _, _, flags = _HEAD.unpack_from(data, HEADER_BYTES)
                if table == _MAIN_TABLE and not flags & _CLONED and wanted(length, proto):
                    yield decoded(rtmsg, data)

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


def _route(message: Any) -> KeptRoute:
    nothing = bytes(16 if message["family"] == socket.AF_INET6 else 4)
    start = ip_address(message.get_attr("RTA_DST") or nothing)
    metrics = message.get_attr("RTA_METRICS")
    leads = message["type"] != _UNREACHABLE
    return KeptRoute(
        ip_network((start, message["dst_len"])),
        (message.get_attr("RTA_OIF") or 0) if leads else 0,
        _address(message, "RTA_GATEWAY"),
        _address(message, "RTA_PREFSRC"),
        (metrics.get_attr("RTAX_MTU") or 0) if metrics else 0,
    )


def _address(message: Any, name: str) -> Address | None:
    text = message.get_attr(name)
    return ip_address(text) if text else None
