# SPDX-License-Identifier: Apache-2.0
"""The wire of a lab: a bridge in a namespace of its own, that all nodes and the outside are at.

The outside is a host that is no node: it stands for the rest of the world, with an address that
only the nodes' default routes lead to.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

from axoneme.lab.node import OUTSIDE, PREFIX4, PREFIX6, WORLD, wire_addresses
from axoneme.net import Netlink, write_sysctl
from axoneme.net.namespaces import entered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Network, IPv6Network

    from axoneme.lab.node import LabNode
    from axoneme.lab.places import Place

DEVICE: Final = "eth0"
_BRIDGE = "wire"
_LINK_LOCAL = IPv6Address("fe80::")
_EVERYTHING = ("0.0.0.0/0", "::/0")
_QUIET: Final = {"all": 1, "default": 1}


def lay_wire(wire: Place, outside: Place, nodes: Iterable[LabNode]) -> None:
    """Make the bridge, and tie the nodes and the outside to it."""
    with _inside(wire) as bridge_side:
        for name, value in _QUIET.items():
            write_sysctl(f"net/ipv6/conf/{name}/disable_ipv6", value)
        bridge_side.change_link(bridge_side.add_bridge(_BRIDGE), up=True)
        _tie(bridge_side, outside, OUTSIDE)
        for node in nodes:
            _tie(bridge_side, node.place, node.number)
    gateways = wire_addresses(OUTSIDE)
    for node in nodes:
        with _inside(node.place) as netlink:
            for destination, gateway in zip(_EVERYTHING, gateways, strict=True):
                netlink.add_route(destination, netlink.link(DEVICE), gateway=gateway)
    with _inside(outside) as netlink:
        for address in WORLD:
            netlink.add_address(netlink.link("lo"), address)


def lead_back(outside: Place, ways: Iterable[tuple[IPv4Network | IPv6Network, LabNode]]) -> None:
    """Let the outside know which node has which pods."""
    with _inside(outside) as netlink:
        link = netlink.link(DEVICE)
        for network, node in ways:
            gateway = next(a for a in node.addresses if a.version == network.version)
            netlink.add_route(network, link, gateway=gateway)


def _tie(bridge_side: Netlink, place: Place, number: int) -> None:
    """Lay a link from the bridge to a place, and give the place its addresses."""
    host = number.to_bytes(2)
    with _opened(place) as network:
        port = bridge_side.add_veth(
            place.name, DEVICE, peer_network=network, peer_mac=b"\x0a\x5a\0\0" + host
        )
        bridge_side.join_bridge(port, bridge_side.link(_BRIDGE))
        bridge_side.change_link(port, up=True)
        with Netlink(network) as netlink:
            netlink.change_link(netlink.link("lo"), up=True)
            link = netlink.link(DEVICE)
            netlink.change_link(link, up=True)
            for address, prefix in zip(wire_addresses(number), (PREFIX4, PREFIX6), strict=True):
                netlink.add_address(link, f"{address}/{prefix}")
            # Whoever forwards for others asks for its neighbours from a link-local address only.
            netlink.add_address(link, f"{_LINK_LOCAL + number}/{PREFIX6}")


@contextmanager
def _opened(place: Place) -> Iterator[int]:
    network = os.open(place.network, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield network
    finally:
        os.close(network)


@contextmanager
def _inside(place: Place) -> Iterator[Netlink]:
    """The calling thread in a place, with a netlink socket there."""
    with _opened(place) as network, entered(network), Netlink() as netlink:
        yield netlink
