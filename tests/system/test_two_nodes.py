# SPDX-License-Identifier: Apache-2.0
"""Pods on two nodes, by native routes and through the tunnel, and what routers say to them."""

from __future__ import annotations

import errno
import socket

import pytest
from tests.system.cluster import Cluster
from tests.system.complaints import complaint, udp

from axoneme.testing.packets import UDP, Ethernet, IPv4, IPv6

FAMILIES = pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
_IP_MTU_DISCOVER, _IP_MTU = 10, 14
_IPV6_MTU = 24
_HEADERS = (20 + 8, 40 + 8)


@pytest.fixture(scope="module", params=["native", "tunnel"])
def cluster(request):
    """Two nodes, in each mode."""
    with Cluster(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def pods(cluster):
    """A pod on each node."""
    return cluster.add_pod(1, identity=1001), cluster.add_pod(2, identity=1002)


@pytest.fixture
def budget(cluster):
    """The longest packet that passes between pods of the two nodes."""
    return cluster.network(1).budget().route


@FAMILIES
def test_pods_of_two_nodes_reach_each_other(pods, index):
    """Both ways, with a name for neither."""
    one, two = pods
    with one.serve(8080), two.serve(8080):
        assert one.request(two.addresses[index], 8080) == b"ping"
        assert two.request(one.addresses[index], 8080) == b"ping"


@FAMILIES
def test_nodes_and_pods_reach_each_other(cluster, pods, index):
    """A pod reaches its own node and the other one, and each node reaches both pods."""
    for pod in pods:
        with pod.serve(8081):
            for number in (1, 2):
                assert cluster.node(number).reaches(pod.addresses[index], 8081)
        for number in (1, 2):
            with cluster.node(number).serve(8081):
                assert pod.reaches(cluster.node(number).addresses[index], 8081)


@FAMILIES
def test_a_pod_reaches_a_machine_outside_and_is_reached(cluster, pods, index):
    """Beyond the uplink packets are neither encapsulated nor lost."""
    for pod in pods:
        with cluster.outside.serve(8082), pod.serve(8082):
            assert pod.reaches(cluster.outside.addresses[index], 8082)
            assert cluster.outside.reaches(pod.addresses[index], 8082)


@FAMILIES
def test_a_datagram_in_fragments_crosses_whole(pods, index):
    """Later fragments have no ports, and go the way of the first."""
    one, two = pods
    with two.serve(8083, protocol="udp", reply=lambda data, _: len(data).to_bytes(2, "big")):
        for _ in range(3):
            answer = one.request(two.addresses[index], 8083, bytes(5000), protocol="udp")
            assert int.from_bytes(answer, "big") == 5000


@FAMILIES
def test_a_stream_of_a_megabyte_crosses(cluster, pods, index):
    """Large segments go the short way too, and are cut for the wire behind it."""
    one, two = pods
    data = bytes(range(256)) * 4096
    before = cluster.counted(1, "from_pod")
    with two.serve(8084):
        assert one.request(two.addresses[index], 8084, data, timeout=10) == data
    assert cluster.counted(1, "from_pod") == before


@FAMILIES
def test_the_whole_way_between_pods_is_ours(cluster, pods, index):
    """Neither node's kernel routes what pods say to each other: it is redirected twice."""
    one, two = pods
    arrival = "from_overlay" if cluster.network(1).tunnel else "from_uplink"
    places = [(1, "from_pod"), (2, arrival)]
    with two.serve(8089, protocol="udp"):
        before = [cluster.counted(*place, "REDIRECT") for place in places]
        one.request(two.addresses[index], 8089, protocol="udp")
    assert [cluster.counted(*place, "REDIRECT") for place in places] == [n + 1 for n in before]


@FAMILIES
@pytest.mark.parametrize("hops", [1, 2])
def test_the_node_at_which_the_hops_end_says_so(cluster, pods, index, hops):
    """The first node is a router for its pods, and so is the second."""
    one, two = pods
    with udp(one, index, two.addresses[index], hops=hops) as source:
        source.send(b"hello")
        number, who = complaint(source)
    assert number == errno.EHOSTUNREACH
    assert who == str(cluster.node(hops).addresses[index])


@FAMILIES
def test_hops_that_are_just_enough_reach_the_pod(pods, index):
    """Two nodes are two hops, whatever is around the packet between them."""
    one, two = pods
    with (
        two.serve(8085, protocol="udp"),
        udp(one, index, two.addresses[index], 8085, hops=3) as source,
    ):
        source.send(b"hello")
        assert source.recv(64) == b"hello"


@FAMILIES
def test_a_closed_port_on_the_other_node_is_heard_of(pods, index):
    """The pod's own refusal comes back."""
    one, two = pods
    with udp(one, index, two.addresses[index]) as source:
        source.send(b"hello")
        assert complaint(source) == (errno.ECONNREFUSED, str(two.addresses[index]))


@FAMILIES
def test_the_longest_packet_crosses_as_one(cluster, pods, budget, index):
    """What the budget leaves is what fits: one packet on the wire, not two pieces."""
    one, two = pods
    size = budget - _HEADERS[index]
    before = cluster.counted(1, "to_uplink")
    with two.serve(8086, protocol="udp", reply=lambda data, _: len(data).to_bytes(2, "big")):
        answer = one.request(two.addresses[index], 8086, bytes(size), protocol="udp")
    assert int.from_bytes(answer, "big") == size
    assert cluster.counted(1, "to_uplink") - before == 1


@FAMILIES
def test_a_packet_that_is_too_long_is_answered_with_the_length_that_fits(
    request, cluster, pods, budget, index
):
    """A pod that knows no budget hears it from its node, and its kernel remembers it."""
    one, two = cluster.add_pod(1, identity=1003, careless=True), pods[1]
    longest = 1500 if budget < 1500 else _shorten(request, cluster, 1400)
    with udp(one, index, two.addresses[index]) as source:
        source.send(bytes(1500 - _HEADERS[index]))
        assert complaint(source) == (errno.EMSGSIZE, str(cluster.node(1).addresses[index]))
        level = (socket.IPPROTO_IP, socket.IPPROTO_IPV6)[index]
        known = source.getsockopt(level, (_IP_MTU, _IPV6_MTU)[index])
        assert known == min(longest, budget)
        with pytest.raises(OSError, match="Message too long"):
            source.send(bytes(1500 - _HEADERS[index]))


def _shorten(request, cluster, mtu):
    """Make the first node's link to the second shorter for the rest of a test."""
    netlink = cluster.node(1).netlink
    link = netlink.link("uplink2")
    netlink.change_link(link, mtu=mtu)
    request.addfinalizer(lambda: netlink.change_link(link, mtu=link.mtu))
    return mtu


def test_a_packet_that_may_be_cut_crosses_in_pieces(cluster, pods):
    """IPv4's routers cut what is too long, unless it says that they must not."""
    one, two = cluster.add_pod(1, identity=1004, careless=True), pods[1]
    with (
        two.serve(8087, protocol="udp", reply=lambda data, _: len(data).to_bytes(2, "big")),
        one.connect(two.ipv4, 8087, protocol="udp") as source,
    ):
        source.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, 0)
        source.send(bytes(1472))
        assert int.from_bytes(source.recv(64), "big") == 1472


@FAMILIES
def test_a_stream_of_a_pod_that_knows_no_budget_crosses(cluster, pods, index):
    """Its segments are too long at first; it hears so, and makes them shorter."""
    one, two = cluster.add_pod(1, identity=1005, careless=True), pods[1]
    data = bytes(range(256)) * 4096
    with two.serve(8088):
        assert one.request(two.addresses[index], 8088, data, timeout=10) == data


@FAMILIES
@pytest.mark.parametrize("whose", ["pod", "node"])
def test_nobody_outside_has_our_addresses(cluster, pods, index, whose):
    """A packet of the uplink with the source of the node, or of one of its pods, reaches no pod."""
    one, near = pods[0], cluster.add_pod(1, identity=1006)
    source = near if whose == "pod" else cluster.node(1)
    before = cluster.dropped(1, "invalid_source_ip")
    _throw(cluster, (IPv4, IPv6)[index](source.addresses[index], one.addresses[index]))
    assert cluster.dropped(1, "invalid_source_ip") == before + 1


@pytest.mark.parametrize("source", ["::ffff:10.1.0.66", "::10.1.0.66"])
def test_nobody_outside_poses_as_ipv4(cluster, pods, source):
    """On the uplink such an address is dropped as it is anywhere."""
    before = cluster.dropped(1, "mapped_address")
    _throw(cluster, IPv6(source, pods[0].ipv6))
    assert cluster.dropped(1, "mapped_address") == before + 1


def _throw(cluster, ip):
    """Send a frame from the machine outside to the first node."""
    here, there = cluster.outside.netlink.link("uplink1"), cluster.node(1).netlink.link("uplink9")
    with cluster.outside.socket(socket.AF_PACKET, socket.SOCK_RAW) as source:
        source.bind((here.name, 0))
        source.send(bytes(Ethernet(here.mac, there.mac) / ip / UDP(40000, 9000) / b"hello"))


@FAMILIES
def test_a_pod_that_is_not_there_is_unreachable(cluster, pods, index):
    """Whoever speaks to a free address of the other node is told so; no packet wanders."""
    one, _ = pods
    free = cluster.node(2).pod_networks[index][77]
    before = cluster.dropped(1, "no_tunnel")
    with udp(one, index, free) as source:
        source.send(b"hello")
        if cluster.network(1).tunnel:  # nobody said on which node it is
            with pytest.raises(TimeoutError):
                source.recv(64)
            # The tunnel device may say hello to its neighbours meanwhile, who are nowhere, too.
            assert cluster.dropped(1, "no_tunnel") > before
        else:
            assert complaint(source)[1] == str(cluster.node(2).addresses[index])


@FAMILIES
def test_legacy_routing_leaves_it_all_to_the_kernel(index):
    """Its routing sees every packet to the other node, and so does its netfilter."""
    with Cluster("native", toml="[tc]\nenable-host-legacy-routing = true") as cluster:
        one, two = cluster.add_pod(1, identity=1001), cluster.add_pod(2, identity=1002)
        with two.serve(8080, protocol="udp"):
            one.request(two.addresses[index], 8080, protocol="udp")
        assert cluster.counted(1, "from_pod", "REDIRECT") == 0
        assert cluster.counted(1, "from_pod") >= 1
