# SPDX-License-Identifier: Apache-2.0
"""Kept routes, the kernel's way, and tunnel devices, in a node of the test kit."""

from __future__ import annotations

import errno
from ipaddress import ip_address, ip_network

import pytest

from axoneme.net import KeptNeighbour, KeptRoute, NetworkError, Way
from axoneme.testing import Node

KEEPER, ANOTHER = 200, 201


@pytest.fixture(scope="module")
def node():
    """A node of this module."""
    with Node() as made:
        yield made


@pytest.fixture
def link(node):
    """A device of the node that is up."""
    made = node.netlink.add_veth("first", "second")
    node.netlink.change_link(made, up=True)
    node.netlink.change_link(node.netlink.link("second"), up=True)
    yield made
    node.netlink.delete_link(made)


ROUTES = [
    KeptRoute(ip_network("10.8.0.0/16"), 1, ip_address("10.7.0.9"), ip_address("172.31.0.1")),
    KeptRoute(ip_network("10.8.0.0/16"), 1, mtu=1400),
    KeptRoute(ip_network("fd00:8::/64"), 1, ip_address("fe80::9"), ip_address("fd00:172::1"), 1400),
    KeptRoute(ip_network("fd00:8::/64"), 1),
    KeptRoute(ip_network("10.8.0.0/16"), 0),
    KeptRoute(ip_network("fd00:8::/64"), 0),
]


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_kept_route_comes_back_as_it_was_put(node, link, route):
    """All that was said of it, and to its keeper only; putting it twice is no error."""
    route = KeptRoute(
        route.destination, route.device and link.index, route.gateway, route.source, route.mtu
    )
    for _ in range(2):
        node.netlink.put_route(route, KEEPER)
    assert node.netlink.kept_routes(KEEPER) == (route,)
    assert node.netlink.kept_routes(ANOTHER) == ()
    assert node.netlink.other_routes(route.destination, ANOTHER) == (route,)
    assert node.netlink.other_routes(route.destination, KEEPER) == ()
    node.netlink.remove_route(route, KEEPER)
    assert node.netlink.kept_routes(KEEPER) == ()


@pytest.mark.parametrize("route", ROUTES[-2:], ids=str)
def test_a_route_of_another_keeper_is_not_removed(node, route):
    """The error names the route, which is still there."""
    node.netlink.put_route(route, ANOTHER)
    with pytest.raises(NetworkError, match="cannot delete the route to") as caught:
        node.netlink.remove_route(route, KEEPER)
    assert caught.value.errno == errno.ESRCH
    node.netlink.remove_route(route, ANOTHER)


def test_the_way_to_an_address_is_the_kernels(node, link):
    """A gateway where there is one, the device, and the source that packets get."""
    node.netlink.add_route("10.7.0.9", link, source=node.ipv4)
    node.netlink.add_route("10.8.0.0/16", link, gateway="10.7.0.9", source=node.ipv4)
    assert node.netlink.way_to(ip_address("10.7.0.9")) == Way(link.index, None, node.ipv4)
    assert node.netlink.way_to(ip_address("10.8.1.1")) == Way(
        link.index, ip_address("10.7.0.9"), node.ipv4
    )
    with pytest.raises(NetworkError, match=r"find the way to 10\.9\.0\.1"):
        node.netlink.way_to(ip_address("10.9.0.1"))


@pytest.mark.parametrize("address", ["10.7.0.9", "fd00:7::9"])
def test_a_neighbour_is_kept_for_one_keeper(node, link, address):
    """The kernel asks for it by itself, which is seen; dropping it ends that."""
    kept = KeptNeighbour(link.index, ip_address(address))
    for _ in range(2):
        node.netlink.keep_neighbour(kept, KEEPER)
    assert node.netlink.kept_neighbours(KEEPER) == (kept,)
    assert node.netlink.kept_neighbours(ANOTHER) == ()
    assert kept not in node.netlink.permanent_neighbours()
    assert "managed" in node.run(["ip", "neighbour", "show", "dev", link.name])
    node.netlink.drop_neighbour(kept)
    assert node.netlink.kept_neighbours(KEEPER) == ()


def test_a_permanent_neighbour_is_seen_as_such(node, link):
    """Somebody knows its MAC address for good."""
    node.netlink.add_neighbour(link, "10.7.0.8", b"\2\0\0\0\0\x08")
    kept = KeptNeighbour(link.index, ip_address("10.7.0.8"))
    assert kept in node.netlink.permanent_neighbours()


def test_a_tunnel_device_is_made_once(node):
    """It has the index that was asked for; a second one with its name is refused."""
    made = node.netlink.add_vxlan("tunnel", index=70000, port=9999, mtu=1400)
    assert (made.link.index, made.link.mtu, made.link.up) == (70000, 1400, True)
    assert (made.port, made.external, made.quiet) == (9999, True, True)
    with pytest.raises(NetworkError, match=r"tunnel: cannot make it as a vxlan.*EEXIST"):
        node.netlink.add_vxlan("tunnel", index=70001, port=9998, mtu=1400)
    with pytest.raises(NetworkError, match=r"other: cannot make it as a vxlan"):
        node.netlink.add_vxlan("other", index=70000, port=9998, mtu=1400)
    assert node.netlink.find_vxlan("tunnel") == made
    node.netlink.delete_link(made.link)
    assert node.netlink.find_vxlan("tunnel") is None
    assert node.netlink.find_vxlan("lo") is None
