# SPDX-License-Identifier: Apache-2.0
"""Routes and the tunnel device are kept as they should be, and what was not is named."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from tests.system.cluster import OVERLAY, Cluster

from axoneme.agent.node_network import NodeNetwork
from axoneme.agent.routes import KEEPER
from axoneme.config import RoutingMode
from axoneme.errors import AxonemeError
from axoneme.model import NodeIpam
from axoneme.model.node import NodeRecord
from axoneme.net import KeptRoute, NetworkError
from axoneme.testing import Node
from axoneme.testing.pipelines import Pipeline

PORT = 8080
OWN = NodeRecord(
    "own",
    (ip_address("172.31.0.1"), ip_address("fd00:172::1")),
    NodeIpam((ip_network("10.1.0.0/16"),)),
    1,
)


@pytest.fixture(scope="module")
def native():
    """Two nodes with native routes, and a pod on each."""
    with Cluster("native") as made:
        made.pods = made.add_pod(1, identity=1001), made.add_pod(2, identity=1002)
        yield made


@pytest.fixture(scope="module")
def tunnel():
    """Two nodes with a tunnel, and a pod on each."""
    with Cluster("tunnel") as made:
        made.pods = made.add_pod(1, identity=1001), made.add_pod(2, identity=1002)
        yield made


def reach(cluster):
    """Whether the first pod reaches the second, by each family."""
    one, two = cluster.pods
    with two.serve(PORT):
        return [one.reaches(address, PORT, timeout=2) for address in two.addresses]


def network(node, mode=RoutingMode.TUNNEL):
    """The way of a node to others, which only this test knows of."""
    made = NodeNetwork(mode, 1500)
    node.call(made.open)
    return made


def kept(node):
    """Our routes of a node."""
    return {str(route.destination) for route in node.netlink.kept_routes(KEEPER)}


# Native routes


def test_a_route_that_somebody_deleted_is_named_and_there_again(native):
    """Nothing else is touched, and packets go as before."""
    node = native.node(1)
    node.run(["ip", "route", "delete", "10.2.0.0/16"])
    node.run(["ip", "-6", "route", "delete", "fd00:10:2::/64"])
    assert reach(native) == [False, False]
    assert native.repair(1) == [
        "route to 10.2.0.0/16 by 172.31.0.2: it was missing",
        "route to fd00:10:2::/64 by fd00:172::2: it was missing",
    ]
    assert reach(native) == [True, True]
    assert native.repair(1) == []


def test_a_route_that_somebody_bent_is_straightened(native):
    """What leads elsewhere is replaced, and the drift says where it led."""
    node = native.node(1)
    node.run(["ip", "route", "replace", "10.2.0.0/16", "via", "172.31.0.9", "dev", "uplink9"])
    (found,) = native.repair(1)
    assert found == "route to 10.2.0.0/16 by 172.31.0.2: another was in its place, by 172.31.0.9"
    assert reach(native) == [True, True]


def test_routes_of_others_stay(native):
    """A reconciler keeps its own routes and looks at no others."""
    node = native.node(1)
    node.run(["ip", "route", "add", "10.77.0.0/16", "dev", "uplink2", "proto", "static"])
    assert native.repair(1) == []
    assert "10.77.0.0/16" in node.run(["ip", "route"])
    node.run(["ip", "route", "delete", "10.77.0.0/16"])


def test_the_neighbours_by_which_routes_lead_are_kept_fresh(native):
    """Unless somebody gave their MAC addresses for good; they go with the node."""
    node = native.node(1)
    assert node.netlink.kept_neighbours(KEEPER) == ()  # those of the kit are permanent
    _give_link_local_addresses(native)
    link = node.netlink.link("uplink2")
    for address in native.node(2).addresses:
        node.netlink.delete_neighbour(link, address)
    assert native.repair(1) == [
        "neighbour 172.31.0.2: it was not kept fresh",
        "neighbour fd00:172::2: it was not kept fresh",
    ]
    assert reach(native) == [True, True]
    assert native.repair(1) == []
    before = native.counted(1, "from_pod")
    assert reach(native) == [True, True]
    assert native.counted(1, "from_pod") == before  # redirected, all of them
    native.part(1)
    assert node.netlink.kept_neighbours(KEEPER) == ()
    native.meet()


def test_without_the_neighbour_the_kernel_finds_it(native):
    """The first packets then go by its routing; none is lost."""
    node = native.node(1)
    _give_link_local_addresses(native)
    before = native.counted(1, "from_pod")
    link = node.netlink.link("uplink2")
    for neighbour in node.netlink.neighbours(link):
        node.netlink.delete_neighbour(link, neighbour.address)
    assert reach(native) == [True, True]
    assert native.counted(1, "from_pod") > before


def _give_link_local_addresses(cluster):
    """As every IPv6 link has them; the kit's have none, and then the kernel solicits nobody."""
    for number, device in ((1, "uplink2"), (2, "uplink1")):
        netlink = cluster.node(number).netlink
        netlink.add_address(netlink.link(device), f"fe80::{number}:1/64")


def test_the_routes_of_a_node_go_with_it(native):
    """Whoever speaks to its pods then is told that there is no way."""
    node = native.node(1)
    before = kept(node)
    native.part(1)
    assert kept(node) == {"10.1.0.0/16", "fd00:10:1::/64"}
    assert reach(native) == [False, False]
    native.meet()
    assert kept(node) == before
    assert reach(native) == [True, True]


def test_a_new_agent_finds_the_routes_of_the_old_one(native):
    """It has nothing to add, and removes those of a node that went meanwhile."""
    node, before = native.node(1), kept(native.node(1))
    own, other = native.records
    fresh = NodeNetwork(RoutingMode.NATIVE, 1500)
    assert node.call(fresh.repair) == []  # before it knows anything
    assert kept(node) == before
    node.call(fresh.update, own, (other,))
    assert node.call(fresh.repair) == []
    assert kept(node) == before
    node.call(fresh.update, own, ())
    assert "10.2.0.0/16" not in kept(node)
    native.meet()


def test_a_free_address_of_our_own_pods_is_unreachable(native):
    """No default route leads it back out."""
    node = native.node(2)
    node.run(["ip", "route", "add", "default", "via", "172.31.0.1", "dev", "uplink1", "onlink"])
    with pytest.raises(OSError, match="No route to host"):
        node.connect("10.2.0.77", PORT)
    node.run(["ip", "route", "delete", "default"])


# Nodes that cannot be reached


def test_two_nodes_with_one_cidr_are_named(native):
    """The first one has it; the other one's pods must move."""
    node, (own, other) = native.node(1), native.records
    twin = NodeRecord("twin", (ip_address("172.31.0.9"),), NodeIpam(other.networks[:1]), 3)
    node.call(native.network(1).update, own, (other, twin))
    (problem,) = native.network(1).problems
    assert problem.startswith("nodes node2 and twin both have 10.2.0.0/16")
    assert reach(native) == [True, True]
    native.meet()


def test_a_node_with_our_own_cidr_is_named(native):
    """Its packets would go to our own pods."""
    node, (own, _) = native.node(1), native.records
    thief = NodeRecord("thief", (ip_address("172.31.0.2"),), NodeIpam(own.networks[:1]), 3)
    node.call(native.network(1).update, own, (thief,))
    (problem,) = native.network(1).problems
    assert problem.startswith("nodes node1 and thief both have 10.1.0.0/16")
    native.meet()


@pytest.mark.parametrize(
    ("address", "cidr", "words"),
    [
        ("172.31.7.7", "10.7.0.0/16", "node far at 172.31.7.7 is on no link of this node"),
        ("172.31.8.8", "10.7.0.0/16", "node far: cannot find the way to 172.31.8.8"),
        ("172.31.0.2", "fd00:7::/64", "node far has no IPv6 address by which"),
    ],
)
def test_a_node_that_cannot_be_reached_is_named(native, address, cidr, words):
    """The sentence says what to do; the other nodes' routes are there."""
    node, (own, other) = native.node(1), native.records
    node.netlink.add_route("172.31.7.7", node.netlink.link("uplink2"), gateway="172.31.0.2")
    far = NodeRecord("far", (ip_address(address),), NodeIpam((ip_network(cidr),)), 3)
    node.call(native.network(1).update, own, (far, other))
    (problem,) = native.network(1).problems
    assert problem.startswith(words)
    assert {"10.2.0.0/16", "fd00:10:2::/64"} < kept(node)
    assert cidr not in kept(node)
    native.meet()


def test_where_the_network_routes_the_agent_does_not(native):
    """Without direct routes there are none, and none is a problem."""
    node, (own, other) = native.node(1), native.records
    quiet = NodeNetwork(RoutingMode.NATIVE, 1500, direct=False)
    node.call(quiet.update, own, (other,))
    assert "10.2.0.0/16" not in kept(node)
    assert quiet.problems == ()
    native.meet()


# The tunnel device


def test_a_tunnel_device_that_somebody_deleted_is_made_and_attached_again(tunnel):
    """The drift names the device, its routes and its programs; pods speak on."""
    assert reach(tunnel) == [True, True]
    tunnel.node(1).run(["ip", "link", "delete", OVERLAY])
    assert reach(tunnel) == [False, False]
    found = "\n".join(tunnel.repair(1))
    for words in (
        f"device {OVERLAY}: it was missing",
        "route to 10.2.0.0/16: it was missing",
        f"from_overlay on {OVERLAY}",
        f"to_overlay on {OVERLAY}",
    ):
        assert words in found
    assert reach(tunnel) == [True, True]
    assert tunnel.repair(1) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["mtu", "1300"], "its mtu was 1300, and is 1450 now"),
        (["down"], "it was down"),
        (["arp", "on"], "it was another tunnel, and is made again"),
    ],
)
def test_a_tunnel_device_that_somebody_changed_is_as_before(tunnel, change, words):
    """What it was is named."""
    tunnel.node(1).run(["ip", "link", "set", OVERLAY, *change])
    assert tunnel.repair(1)[0] == f"device {OVERLAY}: {words}"
    assert reach(tunnel) == [True, True]
    assert tunnel.repair(1) == []


def test_the_tunnels_programs_are_attached_again(tunnel):
    """What others detach from the tunnel device is repaired like all else."""
    node = tunnel.node(1)
    (name,) = node.call(
        lambda: [
            path.name
            for path in tunnel.pipelines[0].datapath.pins.links.iterdir()
            if path.name.startswith("to_overlay")
        ]
    )
    attachment = tunnel.pipelines[0].datapath._attachments["to_overlay", OVERLAY]
    assert name == attachment.pin_name
    node.call(attachment.detach)
    assert f"to_overlay on {OVERLAY}" in "\n".join(tunnel.repair(1))
    assert tunnel.node(1).reaches(tunnel.pods[1].ipv4, PORT) is False  # nobody serves, but
    with tunnel.pods[1].serve(PORT):
        assert tunnel.node(1).reaches(tunnel.pods[1].ipv4, PORT)


def test_the_tunnel_is_as_long_as_the_uplinks_allow(request, tunnel):
    """A change of theirs is noticed, and all that follows from it is made so."""
    node = tunnel.node(1)
    link = node.netlink.link("uplink2")
    request.addfinalizer(lambda: tunnel.repair(1))
    request.addfinalizer(lambda: node.netlink.change_link(link, mtu=1500))
    node.netlink.change_link(link, mtu=1400)
    assert tunnel.repair(1)[:2] == [
        "mtu of the uplinks: it was 1500, is 1400",
        f"device {OVERLAY}: its mtu was 1450, and is 1350 now",
    ]
    assert {route.mtu for route in node.netlink.kept_routes(KEEPER) if route.device} == {1350}
    assert tunnel.network(1).budget().route == 1350
    node.netlink.change_link(link, mtu=1300)
    assert tunnel.repair(1) == ["mtu of the uplinks: it was 1400, is 1300"]
    (problem,) = tunnel.network(1).problems
    assert problem.startswith("1250 bytes are left for a pod's packets, and IPv6 needs 1280")


def test_the_index_is_ours_alone(node):
    """A device of somebody else's with the index or the name is named, and stays."""
    node.netlink.add_veth(OVERLAY, "other")
    with pytest.raises(AxonemeError, match=f"device {OVERLAY} that is no tunnel, but veth: rename"):
        network(node)
    node.run(["ip", "link", "set", OVERLAY, "name", "mine"])
    network(node)
    assert node.netlink.find_link("mine") is not None


def test_a_tunnel_of_somebody_else_at_our_port_is_named(node):
    """Only one device can hear the port; the error says which is refused."""
    node.run(["ip", "link", "add", "flannel", "type", "vxlan", "id", "1", "dstport", "8472"])
    node.run(["ip", "link", "set", "flannel", "up"])
    with pytest.raises(NetworkError, match=f"{OVERLAY}: cannot set it up"):
        network(node)
    assert node.netlink.find_link(OVERLAY) is None


def test_a_node_without_a_common_family_is_named(node):
    """There is no address to encapsulate to."""
    made = network(node)
    six = NodeRecord("six", (ip_address("fd00:172::6"),), NodeIpam((ip_network("10.6.0.0/16"),)), 6)
    four = NodeRecord("own", OWN.addresses[:1], OWN.ipam, 1)
    node.call(made.update, four, (six,))
    assert made.problems == (
        "node six has no address of a family that this node has: it is not reached",
    )


def test_the_budget_follows_the_longest_header(node):
    """One node that is known by IPv6 alone makes packets to all of them shorter."""
    made = network(node)
    four = NodeRecord(
        "four", (ip_address("172.31.0.4"),), NodeIpam((ip_network("10.4.0.0/16"),)), 4
    )
    six = NodeRecord("six", (ip_address("fd00:172::6"),), NodeIpam((ip_network("10.6.0.0/16"),)), 6)
    node.call(made.update, OWN, (four,))
    assert (made.budget().route, node.netlink.link(OVERLAY).mtu) == (1450, 1450)
    node.call(made.update, OWN, (four, six))
    assert (made.budget().route, node.netlink.link(OVERLAY).mtu) == (1430, 1430)
    assert {route.mtu for route in node.netlink.kept_routes(KEEPER) if route.device} == {1430}
    assert "-8 VXLAN header (vxlan over IPv6)" in made.budget().explain()


# The beginning and the end


def test_native_routing_removes_the_device_of_an_earlier_tunnel(node):
    """A node whose mode has changed keeps nothing of the old one."""
    Pipeline(node, [], 'routing-mode = "tunnel"').engine.datapath.close()
    assert node.netlink.find_link(OVERLAY) is not None
    with Pipeline(node, [], 'routing-mode = "native"'):
        assert node.netlink.find_link(OVERLAY) is None


def test_nothing_is_left_when_it_is_removed():
    """Neither a route nor a device; and what others have stays."""
    with Node() as node:
        with Pipeline(node, [], 'routing-mode = "tunnel"') as pipeline:
            other = NodeRecord(
                "b", (ip_address("172.31.0.2"),), NodeIpam((ip_network("10.2.0.0/16"),)), 2
            )
            node.call(pipeline.engine.network.update, OWN, (other,))
            node.netlink.put_route(KeptRoute(ip_network("10.66.0.0/16"), 1), 4)
            assert kept(node) == {"10.1.0.0/16", "10.2.0.0/16"}
        assert kept(node) == set()
        assert node.netlink.find_link(OVERLAY) is None
        assert "10.66.0.0/16" in node.run(["ip", "route"])
