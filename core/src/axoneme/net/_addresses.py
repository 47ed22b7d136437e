# SPDX-License-Identifier: Apache-2.0
"""Addresses, routes and neighbours of devices.

What is added replaces an equal one, so that adding twice is no error.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from axoneme.net._errors import NetworkError
from axoneme.net._pyroute2 import ifaddrmsg, ndmsg, rtmsg
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
    from ipaddress import IPv4Interface, IPv4Network, IPv6Interface

    from axoneme.model import Address
    from axoneme.net._links import Link

    Interface: TypeAlias = IPv4Interface | IPv6Interface
    Network: TypeAlias = IPv4Network | IPv6Network

_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_NEWNEIGH, _DELNEIGH, _GETNEIGH = 28, 29, 30

_NO_DUPLICATE_DETECTION = 0x02
_PERMANENT = 0x80
_MAIN_TABLE = 254
_STATIC = 4
_UNICAST = 1
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_ONLINK = 4
_ADDRESS = struct.Struct("=xBxxI")  # struct ifaddrmsg: the prefix's length and the device's index
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_PUT = ACK | CREATE | REPLACE


@frozen
class Neighbour:
    """An address on a device's link and the MAC address that it has; empty while unknown."""

    address: Address
    mac: bytes
    permanent: bool


@frozen
class Route:
    """A way to a destination through a device; `mtu` is 0 where the device's holds."""

    destination: Network
    gateway: Address | None
    source: Address | None
    mtu: int


class AddressRequests(Socket):
    """What can be asked of addresses, routes and neighbours."""

    def add_address(
        self, link: Link, address: str | Address | Interface, *, on_link: bool = False
    ) -> None:
        """Give a device an address, which is usable at once: no other host is asked for it.

        on_link: it speaks to the device's own link only, and is no source for anything farther.
        """
        scope = _SCOPE_LINK if on_link else _SCOPE_UNIVERSE
        self._address(_NEWADDR, _PUT, "add", link, address, scope=scope)

    def delete_address(self, link: Link, address: str | Address | Interface) -> None:
        """Take an address from a device."""
        self._address(_DELADDR, ACK, "delete", link, address)

    def addresses(self, link: Link | None = None) -> tuple[Interface, ...]:
        """Return the addresses of a device, or of all."""
        found = self.indexed_addresses()
        return tuple(address for index, address in found if link is None or index == link.index)

    def indexed_addresses(self) -> tuple[tuple[int, Interface], ...]:
        """Return all addresses, each with the index of its device."""
        found = self._request_bytes(ifaddrmsg(), _GETADDR, DUMP, "list addresses")
        return tuple(map(_interface, found))

    def _address(
        self,
        kind: int,
        flags: int,
        verb: str,
        link: Link,
        address: str | Address | Interface,
        *,
        scope: int = _SCOPE_UNIVERSE,
    ) -> None:
        parsed = ip_interface(address)
        message = ifaddrmsg()
        message["family"] = _family(parsed)
        message["prefixlen"] = parsed.network.prefixlen
        message["flags"] = _NO_DUPLICATE_DETECTION
        message["scope"] = scope
        message["index"] = link.index
        text = str(parsed.ip)
        message["attrs"] = [("IFA_LOCAL", text), ("IFA_ADDRESS", text)]
        self._request(message, kind, flags, f"{verb} address {parsed}", link.name)

    def add_route(
        self,
        destination: str | Address | Network,
        link: Link,
        *,
        gateway: str | Address | None = None,
        source: str | Address | None = None,
        mtu: int = 0,
    ) -> None:
        """Send a destination through a device, by a gateway that is on its link where given.

        `source` is the address that this host's own packets get there, `mtu` the bytes that
        they may have: those of the device where it is 0.
        """
        message = _route(destination, link)
        by = f" by {gateway}" if gateway else ""
        doing = f"add a route to {destination}{by}"
        for name, address in (("RTA_GATEWAY", gateway), ("RTA_PREFSRC", source)):
            if address and _family(ip_address(address)) != message["family"]:
                reason = f"cannot {doing}: {address} is of another family; use one of the same"
                raise NetworkError(reason, device=link.name)
            message["attrs"] += [(name, str(address))] if address else []
        if mtu:
            message["attrs"].append(("RTA_METRICS", {"attrs": [("RTAX_MTU", mtu)]}))
        if gateway is not None:
            message["scope"] = _SCOPE_UNIVERSE
            message["flags"] = _ONLINK
        self._request(message, _NEWROUTE, _PUT, doing, link.name)

    def routes(self, link: Link) -> tuple[Route, ...]:
        """Return the routes of the main table that lead through a device."""
        found = []
        for family in (socket.AF_INET, socket.AF_INET6):  # a dump of all ends behind the first
            message = rtmsg()
            message["family"] = int(family)
            found += self._request(message, _GETROUTE, DUMP, "list routes", link.name)
        return tuple(
            _found_route(one)
            for one in found
            if one.get_attr("RTA_OIF") == link.index
            and one.get_attr("RTA_TABLE") == _MAIN_TABLE
            and one["type"] == _UNICAST
        )

    def delete_route(self, destination: str | Address | Network, link: Link) -> None:
        """Remove the route to a destination through a device."""
        message = _route(destination, link)
        message["scope"] = 255  # RT_SCOPE_NOWHERE: a route of any scope
        self._request(message, _DELROUTE, ACK, f"delete the route to {destination}", link.name)

    def add_neighbour(self, link: Link, address: str | Address, mac: bytes) -> None:
        """Say for good which MAC address an address on a device's link has."""
        doing = f"add neighbour {address} at {mac.hex(':')}"
        message = _neighbour(link, address)
        message["state"] = _PERMANENT
        message["attrs"].append(("NDA_LLADDR", mac.hex(":")))
        self._request(message, _NEWNEIGH, _PUT, doing, link.name)

    def delete_neighbour(self, link: Link, address: str | Address) -> None:
        """Forget an address on a device's link."""
        message = _neighbour(link, address)
        self._request(message, _DELNEIGH, ACK, f"delete neighbour {address}", link.name)

    def neighbours(self, link: Link) -> tuple[Neighbour, ...]:
        """Return the addresses on a device's link that are known."""
        found = self._request(ndmsg(), _GETNEIGH, DUMP, "list neighbours", link.name)
        return tuple(
            Neighbour(
                ip_address(one.get_attr("NDA_DST")),
                bytes.fromhex((one.get_attr("NDA_LLADDR") or "").replace(":", "")),
                permanent=bool(one["state"] & _PERMANENT),
            )
            for one in found
            if one["ifindex"] == link.index
        )


def _family(address: Address | Interface | Network) -> int:
    six = isinstance(address, (IPv6Address, IPv6Network))  # an IPv6Interface is an IPv6Address
    return int(socket.AF_INET6 if six else socket.AF_INET)


def _interface(data: bytes) -> tuple[int, Interface]:
    """Read an ifaddrmsg: the index of its device, and the address."""
    prefix, index = _ADDRESS.unpack_from(data, HEADER_BYTES)
    found = read_attributes(data, HEADER_BYTES + _ADDRESS.size)
    address = found.get(_IFA_LOCAL) or found[_IFA_ADDRESS]
    return index, ip_interface((address, prefix))


def _route(destination: str | Address | Network, link: Link) -> Any:
    network = ip_network(destination)
    message = rtmsg()
    message["family"] = _family(network)
    message["dst_len"] = network.prefixlen
    message["table"] = _MAIN_TABLE
    message["proto"] = _STATIC
    message["type"] = _UNICAST
    message["scope"] = _SCOPE_LINK
    message["attrs"] = [("RTA_DST", str(network.network_address)), ("RTA_OIF", link.index)]
    return message


def _found_route(message: Any) -> Route:
    address = message.get_attr("RTA_DST") or bytes(
        16 if message["family"] == socket.AF_INET6 else 4
    )
    gateway, source = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_PREFSRC")
    metrics = message.get_attr("RTA_METRICS")
    return Route(
        ip_network((ip_address(address), message["dst_len"])),
        ip_address(gateway) if gateway else None,
        ip_address(source) if source else None,
        (metrics.get_attr("RTAX_MTU") or 0) if metrics else 0,
    )


def _neighbour(link: Link, address: str | Address) -> Any:
    parsed = ip_address(address)
    message = ndmsg()
    message["family"] = _family(parsed)
    message["ifindex"] = link.index
    message["attrs"] = [("NDA_DST", str(parsed))]
    return message
