# SPDX-License-Identifier: Apache-2.0
"""Addresses, routes and neighbours of devices.

What is added replaces an equal one, so that adding twice is no error.
"""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from axoneme.net._errors import NetworkError
from axoneme.net._pyroute2 import ifaddrmsg, ndmsg, rtmsg
from axoneme.net._socket import ACK, CREATE, DUMP, REPLACE, Socket

if TYPE_CHECKING:
    from ipaddress import IPv4Interface, IPv4Network, IPv6Interface

    from axoneme.model import Address
    from axoneme.net._links import Link

    Interface: TypeAlias = IPv4Interface | IPv6Interface
    Network: TypeAlias = IPv4Network | IPv6Network

_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE = 24, 25
_NEWNEIGH, _DELNEIGH, _GETNEIGH = 28, 29, 30

_NO_DUPLICATE_DETECTION = 0x02
_PERMANENT = 0x80
_MAIN_TABLE = 254
_STATIC = 4
_UNICAST = 1
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_ONLINK = 4
_PUT = ACK | CREATE | REPLACE


@frozen
class Neighbour:
    """An address on a device's link and the MAC address that it has; empty while unknown."""

    address: Address
    mac: bytes
    permanent: bool


class AddressRequests(Socket):
    """What can be asked of addresses, routes and neighbours."""

    def add_address(self, link: Link, address: str | Address | Interface) -> None:
        """Give a device an address, which is usable at once: no other host is asked for it."""
        self._address(_NEWADDR, _PUT, "add", link, address)

    def delete_address(self, link: Link, address: str | Address | Interface) -> None:
        """Take an address from a device."""
        self._address(_DELADDR, ACK, "delete", link, address)

    def addresses(self, link: Link) -> tuple[Interface, ...]:
        """Return the addresses of a device."""
        found = self._request(ifaddrmsg(), _GETADDR, DUMP, "list addresses", link.name)
        return tuple(_interface(one) for one in found if one["index"] == link.index)

    def _address(
        self, kind: int, flags: int, verb: str, link: Link, address: str | Address | Interface
    ) -> None:
        parsed = ip_interface(address)
        message = ifaddrmsg()
        message["family"] = _family(parsed)
        message["prefixlen"] = parsed.network.prefixlen
        message["flags"] = _NO_DUPLICATE_DETECTION
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
    ) -> None:
        """Send a destination through a device, by a gateway that is on its link where given.

        `source` is the address that this host's own packets get there.
        """
        message = _route(destination, link)
        by = f" by {gateway}" if gateway else ""
        doing = f"add a route to {destination}{by}"
        for name, address in (("RTA_GATEWAY", gateway), ("RTA_PREFSRC", source)):
            if address and _family(ip_address(address)) != message["family"]:
                reason = f"cannot {doing}: {address} is of another family; use one of the same"
                raise NetworkError(reason, device=link.name)
            message["attrs"] += [(name, str(address))] if address else []
        if gateway is not None:
            message["scope"] = _SCOPE_UNIVERSE
            message["flags"] = _ONLINK
        self._request(message, _NEWROUTE, _PUT, doing, link.name)

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


def _interface(message: Any) -> Interface:
    address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return ip_interface(f"{address}/{message['prefixlen']}")


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


def _neighbour(link: Link, address: str | Address) -> Any:
    parsed = ip_address(address)
    message = ndmsg()
    message["family"] = _family(parsed)
    message["ifindex"] = link.index
    message["attrs"] = [("NDA_DST", str(parsed))]
    return message
