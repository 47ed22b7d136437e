# SPDX-License-Identifier: Apache-2.0
"""The node's ends of pods' links, kept as they were made: what others undid is done again.

All of them are compared with one look at the kernel's tables. What is inside a pod is its own, and
a link that is gone cannot be made again without its runtime: CHECK tells of both.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from attrs import frozen

from axoneme.net import KeptNeighbour, NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from ipaddress import IPv4Network, IPv6Network

    from axoneme.model import Address
    from axoneme.net import Link, Netlink

    from .pods import PodWiring

#: The protocol number of routes that people and programs add, and so of pods'.
_STATIC: Final = 4


@frozen
class _Present:
    """What the kernel has: routes and neighbours by the device's index, and its addresses."""

    links: Mapping[str, Link]
    routes: frozenset[tuple[int, IPv4Network | IPv6Network]]
    neighbours: frozenset[KeptNeighbour]
    addresses: frozenset[tuple[int, Address]]

    @classmethod
    def look(cls, netlink: Netlink) -> _Present:
        """Look once at everything."""
        return cls(
            {link.name: link for link in netlink.links()},
            frozenset((r.device, r.destination) for r in netlink.kept_routes(_STATIC)),
            frozenset(netlink.permanent_neighbours()),
            frozenset((index, one.ip) for index, one in netlink.indexed_addresses()),
        )


def keep_links(netlink: Netlink, wirings: Iterable[PodWiring]) -> list[str]:
    """Make the node's ends of these links as `attach_pod` left them.

    Returns:
        A sentence for each thing that was not as it should be.
    """
    present = _Present.look(netlink)
    found: list[str] = []
    for wiring in wirings:
        link = present.links.get(wiring.node_ifname)
        if link is None:
            continue
        try:
            found += _keep(netlink, link, wiring, present)
        except NetworkError as error:
            if netlink.find_link(link.index) is not None:  # else its DEL was under way
                found.append(f"device {link.name}: {error}")
    return found


def _keep(netlink: Netlink, link: Link, wiring: PodWiring, present: _Present) -> Iterator[str]:
    if not link.up:
        netlink.change_link(link, up=True)
        yield f"device {link.name}: it was down"
    for gateway in wiring.own_interfaces:
        if (link.index, gateway.ip) not in present.addresses:
            netlink.add_address(link, gateway, on_link=True)
            yield f"address {gateway.ip} on {link.name}: it was missing"
    for address in wiring.addresses:
        if KeptNeighbour(link.index, address) not in present.neighbours:
            netlink.add_neighbour(link, address, wiring.mac)
            yield f"neighbour {address} on {link.name}: it was missing"
        if not link.up or (link.index, ip_network(address)) not in present.routes:
            netlink.add_route(address, link, source=wiring.source(address))
            yield f"route to {address} by {link.name}: it was missing"
