# SPDX-License-Identifier: Apache-2.0
"""The tunnel between two nodes: what is on the wire, whom it believes, and how long packets are."""

from __future__ import annotations

import re
import socket
from importlib.resources import files
from ipaddress import IPv4Address

import pytest
from tests.system.cluster import OVERLAY, REMOTE_NODE, Cluster, packed

from axoneme.agent.overlay import OVERLAY_INDEX
from axoneme.datapath import Remote
from axoneme.testing import fake_plugin, plugin_codec, plugin_object, scaled
from axoneme.testing.packets import UDP, VXLAN, Ethernet, IPv4, IPv6, dissect

FAMILIES = pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
PORT, VXLAN_PORT = 9000, 8472
_ETH_P_ALL = 3
_WITNESS = """
    #include <axoneme/plugin.h>

    AXN_MAP(HASH, witness_seen, 64, union address, __u32);

    AXN_STAGE(track)
    {
        union address from = packet->tuple.saddr;
        __u32 identity = packet->src_identity;

        if (packet->direction == AXN_INGRESS && packet->dst_endpoint)
            bpf_map_update_elem(&witness_seen, &from, &identity, BPF_ANY);
        return AXN_NEXT;
    }
"""


@pytest.fixture(scope="module")
def witness():
    """An object that remembers which identity each address had that came to a pod."""
    return plugin_object(_WITNESS, "witness")


@pytest.fixture(scope="module")
def cluster(witness):
    """Two nodes with a tunnel over IPv4."""
    with Cluster("tunnel", underlay=4, plugins=(fake_plugin("witness", witness),)) as made:
        yield made


@pytest.fixture(scope="module")
def cluster6():
    """Two nodes with a tunnel over IPv6."""
    with Cluster("tunnel", underlay=6) as made:
        yield made


@pytest.fixture(scope="module")
def pods(cluster):
    """A pod on each node."""
    return cluster.add_pod(1, identity=4711), cluster.add_pod(2, identity=4712)


@pytest.fixture
def seen(cluster, witness):
    """A function: the identity that an address had when it came to a pod of the second node."""
    pipeline = cluster.pipelines[1]
    table = pipeline.datapath.table("witness_seen", plugin_codec(witness))

    def look(address):
        return pipeline.node.call(table.get, packed(address))

    return look


def capture(node, device):
    """A socket that hears every frame of a device."""
    made = node.socket(socket.AF_PACKET, socket.SOCK_RAW)
    made.bind((device, _ETH_P_ALL))
    made.settimeout(scaled(2))
    return made


def tunnelled(source, wanted):
    """The first VXLAN packet that a socket hears, whose inner destination is wanted."""
    while True:
        data, (_, _, kind, *_) = source.recvfrom(4096)
        if kind == socket.PACKET_OUTGOING:
            continue
        packet = dissect(data)
        if VXLAN in packet and str(wanted) in {str(getattr(x, "dst", "")) for x in packet.layers}:
            return packet


def wrapped(inner, vni=7):
    """What a UDP socket sends to have a packet come out of the other node's tunnel device."""
    return bytes(VXLAN(vni) / (Ethernet() / inner))


def throw(place, target, inner, *, vni=7):
    """Encapsulate a packet and send it to a node."""
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    with place.socket(family, socket.SOCK_DGRAM) as source:
        source.sendto(wrapped(inner, vni), (str(target), VXLAN_PORT))


def caught(listener):
    """What comes to a socket, or nothing."""
    try:
        return listener.recv(64)
    except TimeoutError:
        return b""


def listen(pod, index):
    """A UDP socket of a pod that waits a little."""
    made = pod.socket((socket.AF_INET, socket.AF_INET6)[index], socket.SOCK_DGRAM)
    made.bind(("", PORT))
    made.settimeout(scaled(0.3))
    return made


def datagram(source, target, text):
    """A UDP datagram of either family."""
    kind = IPv4 if target.version == 4 else IPv6
    return kind(source, target) / UDP(40000, PORT) / text.encode()


@FAMILIES
def test_the_senders_identity_is_the_network_number(cluster, pods, seen, index):
    """A pod's own identity crosses the wire, and the other node takes it from there."""
    one, two = pods
    cluster.know(2, {one.addresses[index]: Remote(9999)})
    with capture(cluster.node(2), "uplink1") as wire, two.serve(PORT, protocol="udp"):
        with one.connect(two.addresses[index], PORT, protocol="udp") as source:
            source.send(b"hello")
            packet = tunnelled(wire, two.addresses[index])
        assert packet[VXLAN].vni == 4711
        assert (str(packet[IPv4].src), str(packet[IPv4].dst)) == ("172.31.0.1", "172.31.0.2")
        assert packet[UDP].dport == VXLAN_PORT
    assert seen(one.addresses[index]) == 4711
    cluster.introduce(one, 1, 4711)


@FAMILIES
def test_a_node_is_a_remote_node_to_others(cluster, pods, seen, index):
    """What a node itself sends into the tunnel has the identity of nodes, not that of a host."""
    two = pods[1]
    with capture(cluster.node(2), "uplink1") as wire, two.serve(PORT, protocol="udp"):
        address = str(two.addresses[index])
        assert cluster.node(1).request(address, PORT, protocol="udp") == b"ping"
        assert tunnelled(wire, address)[VXLAN].vni == REMOTE_NODE
    assert seen(cluster.node(1).addresses[index]) == REMOTE_NODE


def test_who_says_to_be_the_host_is_a_remote_node(cluster, pods, seen):
    """Another node's host is no host of ours, whatever its packets say."""
    two, source = pods[1], IPv4Address("10.1.0.200")
    with listen(two, 0) as listener:
        throw(cluster.node(1), cluster.node(2).ipv4, datagram(source, two.ipv4, "x"), vni=1)
        assert caught(listener) == b"x"
    assert seen(source) == REMOTE_NODE


def test_without_an_identity_the_address_says_whose_a_packet_is(cluster, pods, seen):
    """A network number of 0 is nobody's: ipcache knows the sender, or it is the world."""
    two, known, unknown = pods[1], IPv4Address("10.1.0.201"), IPv4Address("10.1.0.202")
    cluster.know(2, {known: Remote(4242)})
    with listen(two, 0) as listener:
        for source in (known, unknown):
            throw(cluster.node(1), cluster.node(2).ipv4, datagram(source, two.ipv4, "x"), vni=0)
            assert caught(listener) == b"x"
    assert (seen(known), seen(unknown)) == (4242, 9)


@FAMILIES
def test_a_stranger_cannot_encapsulate(cluster, pods, index):
    """A machine that is no node of the cluster reaches no pod by the tunnel; as a node it does."""
    two, stranger = pods[1], cluster.outside
    inner = datagram(("10.1.0.66", "fd00:10:1::66")[index], two.addresses[index], "hello")
    before = cluster.dropped(2, "strange_encapsulation")
    with listen(two, index) as listener:
        throw(stranger, cluster.node(2).ipv4, inner)
        assert caught(listener) == b""
        assert cluster.dropped(2, "strange_encapsulation") == before + 1
        _admit(cluster, stranger.ipv4)
        throw(stranger, cluster.node(2).ipv4, inner)
        assert caught(listener) == b"hello"
    cluster.meet()


def _admit(cluster, address):
    """Have the second node take an address for a node's."""
    known = {a: r.id for r in cluster.records for a in r.addresses}
    cluster.node(2).call(cluster.ipcaches[1].replace_nodes, {**known, address: 9})


def test_a_pod_cannot_encapsulate(cluster, pods):
    """What a pod sends to the tunnel's port of a node is dropped there: a pod is no node."""
    one, two = pods
    before = cluster.dropped(2, "strange_encapsulation")
    with listen(two, 0) as listener:
        throw(one, cluster.node(2).ipv4, datagram("10.1.0.66", two.ipv4, "hello"))
        assert caught(listener) == b""
    assert cluster.dropped(2, "strange_encapsulation") == before + 1


def test_nobody_encapsulates_inside_the_tunnel(cluster, pods):
    """What comes out of the tunnel for its port is of a pod again, and a pod is no node."""
    one, two = pods
    node = cluster.node(2).ipv4
    inner = wrapped(datagram("10.1.0.66", two.ipv4, "hello"))
    before = cluster.dropped(2, "strange_encapsulation")
    with listen(two, 0) as listener:
        packet = IPv4(one.ipv4, node) / UDP(40000, VXLAN_PORT) / inner
        throw(cluster.node(1), node, packet, vni=4711)
        assert caught(listener) == b""
    assert cluster.dropped(2, "strange_encapsulation") == before + 1


@FAMILIES
@pytest.mark.parametrize("whose", ["a pod's", "the node's"])
def test_our_own_addresses_do_not_come_through_the_tunnel(cluster, pods, index, whose):
    """Not even another node may speak for this one or for its pods."""
    two = pods[1]
    source = cluster.add_pod(2, identity=4713) if whose == "a pod's" else cluster.node(2)
    inner = datagram(source.addresses[index], two.addresses[index], "hello")
    before = cluster.dropped(2, "invalid_source_ip")
    with listen(two, index) as listener:
        throw(cluster.node(1), cluster.node(2).ipv4, inner)
        assert caught(listener) == b""
    assert cluster.dropped(2, "invalid_source_ip") == before + 1


@pytest.mark.parametrize("source", ["::ffff:10.1.0.66", "::10.1.0.66"])
def test_an_address_that_poses_as_ipv4_is_dropped_inside_too(cluster, pods, source):
    """Encapsulated, such a packet is as bad as on the wire."""
    two = pods[1]
    before = cluster.dropped(2, "mapped_address")
    with listen(two, 1) as listener:
        throw(cluster.node(1), cluster.node(2).ipv4, datagram(source, two.ipv6, "hello"))
        assert caught(listener) == b""
    assert cluster.dropped(2, "mapped_address") == before + 1


def test_what_is_not_ip_is_not_for_us(cluster, pods):
    """A frame of another kind in the tunnel reaches no pod and breaks nothing."""
    one, two = pods
    with cluster.node(1).socket(kind=socket.SOCK_DGRAM) as source:
        frame = bytes(VXLAN(7) / Ethernet(type=0x88B5) / b"hello")
        for data in (frame, frame[:12], b"", b"\xff" * 40):
            source.sendto(data, (str(cluster.node(2).ipv4), VXLAN_PORT))
    with two.serve(PORT):
        assert one.reaches(two.ipv4, PORT)


@FAMILIES
def test_a_packet_for_nobody_known_is_dropped_by_name(cluster, index):
    """The kernel routes it to the tunnel; ipcache knows no node to send it to."""
    free = cluster.node(2).pod_networks[index][99]
    before = cluster.dropped(1, "no_tunnel")
    family = (socket.AF_INET, socket.AF_INET6)[index]
    with cluster.node(1).socket(family, socket.SOCK_DGRAM) as source:
        source.sendto(b"hello", (str(free), PORT))
    assert cluster.dropped(1, "no_tunnel") == before + 1


def test_the_device_solicits_nobody(cluster):
    """It asks for no MAC address and has no address of its own: it sends what it is told."""
    for number in (1, 2):
        shown = cluster.node(number).run(["ip", "address", "show", "dev", OVERLAY])
        assert "NOARP" in shown
        assert "inet" not in shown


def test_the_programs_and_the_agent_agree_on_the_device():
    """Its index stands in a header, and in Python."""
    header = files("axoneme_sdk") / "include" / "axoneme" / "overlay.h"
    (number,) = re.findall(r"#define AXN_OVERLAY_IFINDEX\s+(\w+)", header.read_text())
    assert int(number, 0) == OVERLAY_INDEX


@FAMILIES
def test_over_ipv6_it_is_the_same(cluster6, index):
    """Nodes that know each other by IPv6 only carry both families, with the identity."""
    one, two = cluster6.add_pod(1, identity=4711), cluster6.add_pod(2, identity=4712)
    with capture(cluster6.node(2), "uplink1") as wire, two.serve(PORT, protocol="udp"):
        assert one.request(two.addresses[index], PORT, protocol="udp") == b"ping"
        packet = tunnelled(wire, two.addresses[index])
    assert packet[VXLAN].vni == 4711
    assert str(packet.layers[1].src) == "fd00:172::1"


def test_over_ipv6_the_budget_is_smaller(cluster6):
    """The longer header around packets takes twenty bytes more, and they fit exactly."""
    one, two = cluster6.add_pod(1, identity=4714), cluster6.add_pod(2, identity=4715)
    assert cluster6.network(1).budget().route == 1430
    before = cluster6.counted(1, "to_uplink")
    with two.serve(PORT, protocol="udp", reply=lambda data, _: len(data).to_bytes(2, "big")):
        answer = one.request(two.ipv4, PORT, bytes(1430 - 28), protocol="udp")
    assert int.from_bytes(answer, "big") == 1430 - 28
    assert cluster6.counted(1, "to_uplink") - before == 1


def test_over_ipv6_a_stranger_cannot_encapsulate(cluster6):
    """The outer address is checked in either family."""
    two = cluster6.add_pod(2, identity=4716)
    before = cluster6.dropped(2, "strange_encapsulation")
    with listen(two, 0) as listener:
        inner = datagram("10.1.0.66", two.ipv4, "hello")
        throw(cluster6.outside, cluster6.node(2).ipv6, inner)
        throw(cluster6.outside, cluster6.node(2).ipv4, inner)
        assert caught(listener) == b""
    assert cluster6.dropped(2, "strange_encapsulation") == before + 2
