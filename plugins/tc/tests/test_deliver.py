# SPDX-License-Identifier: Apache-2.0
"""deliver: what another machine sends to a pod of this node."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from attrs import evolve, frozen

from axoneme.datapath import IpcacheMaps, Remote, Verdict
from axoneme.datapath.reasons import core_reasons
from axoneme.testing import Node, Packet, dissect, join
from axoneme.testing.packets import ICMP, TCP, UDP, Ethernet, Fragment, ICMPv6, IPv4, IPv6
from axoneme.testing.pipelines import Pipeline

if TYPE_CHECKING:
    from typing import Any

    from axoneme.datapath import TestRun
    from axoneme.testing import Pod

POD4, POD6 = "10.1.0.1", "fd00:10:1::1"
FAR4, FAR6 = "10.2.0.9", "fd00:10:2::9"
WORLD4, WORLD6 = "203.0.113.7", "2001:db8::7"
NEIGHBOUR = b"\x02\0\0\0\0\x99"


@frozen
class Edge:
    """A node with one pod, its uplink to another node, and what an agent knows of both."""

    pipeline: Pipeline
    pod: Pod
    ifindex: int
    mac: bytes

    def frame(self, *layers: Any, mac: bytes | None = None) -> Packet:
        """A frame of these headers, from a neighbour to the node's own MAC address."""
        packet = Packet((Ethernet(NEIGHBOUR, self.mac if mac is None else mac),))
        for layer in layers:
            packet = packet / layer
        return packet

    def arrive(self, packet: Packet) -> tuple[TestRun, str]:
        """Run a packet through from_uplink; with the reason if it is dropped."""
        run, steps = self.pipeline.node.call(
            self.pipeline.datapath.probe, "from_uplink", bytes(packet), ifindex=self.ifindex
        )
        reason = core_reasons()[steps[-1].reason].name if run.verdict == Verdict.DROP else ""
        return run, reason


@pytest.fixture(scope="module")
def edge():
    """The node, its pod and its uplink."""
    with Node(number=1) as here, Node(number=2) as there:
        link, _ = join(here, there)
        with Pipeline(here, ["tc"], uplinks=[link.name]) as pipeline:
            pod = pipeline.add_pod()
            known = dict.fromkeys(here.addresses, Remote(1)) | dict.fromkeys(
                there.addresses, Remote(6)
            )
            known |= {ip_address(FAR4): Remote(4242), ip_address(FAR6): Remote(4242)}
            here.call(here.call(IpcacheMaps.open, pipeline.datapath).put, known)
            yield Edge(pipeline, pod, link.index, link.mac)


INTO = {
    "TCP": (IPv4(FAR4, POD4), TCP(40000, 80)),
    "UDP from the world": (IPv4(WORLD4, POD4), UDP(1, 2)),
    "ICMP": (IPv4(FAR4, POD4), ICMP.echo(1), b"data"),
    "what nobody knows": (IPv4(FAR4, POD4, 47), b"data"),
    "from another node": (IPv4("172.31.0.2", POD4), TCP(1, 2)),
    "IPv4 with options": (IPv4(FAR4, POD4, options=b"\1" * 12), UDP(1, 2)),
    "TCP over IPv6": (IPv6(FAR6, POD6), TCP(40000, 80)),
    "ICMPv6 from the world": (IPv6(WORLD6, POD6), ICMPv6.echo(1), b"data"),
    "the last hop but one": (IPv4(FAR4, POD4, ttl=2), UDP(1, 2)),
}


@pytest.mark.parametrize("layers", INTO.values(), ids=INTO.keys())
def test_a_packet_for_a_pod_goes_straight_into_it(edge, layers):
    """With the MAC addresses of the pod's link and one hop less, and nothing else changed."""
    packet = edge.frame(*layers)
    run, _ = edge.arrive(packet)
    ip = layers[0]
    hop = {"ttl": ip.ttl - 1} if isinstance(ip, IPv4) else {"hop_limit": ip.hop_limit - 1}
    ethernet = Ethernet(edge.pod.node_mac, edge.pod.mac, packet[Ethernet].type)
    expected = Packet((ethernet, evolve(ip, **hop), *packet.layers[2:]), packet.payload)
    assert (run.verdict, run.packet) == (Verdict.REDIRECT, bytes(expected))
    assert dissect(run.packet).layers[1].__class__ is ip.__class__


KERNELS = {
    "for the node": (IPv4(FAR4, "172.31.0.1"), TCP(1, 2)),
    "for the node by IPv6": (IPv6(FAR6, "fd00:172::1"), TCP(1, 2)),
    "for a pod of nobody": (IPv4(FAR4, "10.1.0.77"), TCP(1, 2)),
    "for the world": (IPv4(FAR4, WORLD4), TCP(1, 2)),
    "for a group": (IPv4(FAR4, "224.0.0.251"), UDP(5353, 5353)),
    "for all": (IPv4("0.0.0.0", "255.255.255.255"), UDP(68, 67)),
    "at its last hop": (IPv4(FAR4, POD4, ttl=1), UDP(1, 2)),
    "at its last hop by IPv6": (IPv6(FAR6, POD6, hop_limit=1), UDP(1, 2)),
    "from a link-local address": (IPv6("fe80::9", POD6), UDP(1, 2)),
    "from no address": (IPv6("::", POD6), UDP(1, 2)),
    "from no IPv4 address": (IPv4("0.0.0.0", POD4), UDP(1, 2)),
    "from the loopback": (IPv4("127.0.0.1", POD4), UDP(1, 2)),
    "from a group": (IPv4("224.0.0.1", POD4), UDP(1, 2)),
    "from a group of IPv6": (IPv6("ff02::1", POD6), UDP(1, 2)),
    "a neighbour's solicitation": (
        IPv6("fe80::9", "ff02::1:ff00:1", hop_limit=255),
        ICMPv6(135),
        bytes(20),
    ),
}


@pytest.mark.parametrize("layers", KERNELS.values(), ids=KERNELS.keys())
def test_all_else_is_left_to_the_kernel_unchanged(edge, layers):
    """It knows what is its own, and what cannot be routed."""
    packet = edge.frame(*layers)
    run, _ = edge.arrive(packet)
    assert (run.verdict, run.packet) == (Verdict.PASS, bytes(packet))


def test_a_frame_for_another_machine_is_not_delivered(edge):
    """What a promiscuous device hears is not for our pods."""
    packet = edge.frame(IPv4(FAR4, POD4), UDP(1, 2), mac=b"\x02\0\0\0\0\x77")
    assert edge.arrive(packet)[0].verdict == Verdict.PASS


@pytest.mark.parametrize(
    "ip",
    [
        IPv4(POD4, "172.31.0.1"),
        IPv4(POD4, POD4),
        IPv4("172.31.0.1", POD4),
        IPv6(POD6, "fd00:172::1"),
        IPv6("fd00:172::1", POD6),
        IPv4(POD4, WORLD4),
    ],
    ids=str,
)
def test_nobody_outside_speaks_with_an_address_of_this_node(edge, ip):
    """Neither with a pod's nor with the node's own, wherever the packet goes."""
    assert edge.arrive(edge.frame(ip, TCP(1, 2)))[1] == "invalid_source_ip"


@pytest.mark.parametrize("first", [True, False])
def test_fragments_come_in_order(edge, first):
    """The first has the ports; a later one alone is nobody's."""
    offset = 0 if first else 64
    layers = IPv6(FAR6, POD6), Fragment(offset, True, next_header=17), UDP(1, 2), bytes(64)
    run, reason = edge.arrive(edge.frame(*layers))
    assert (run.verdict == Verdict.REDIRECT) is first
    assert reason == ("" if first else "fragment_not_found")


def test_without_deliver_the_kernel_routes():
    """The object can be off."""
    with Node() as node, Node(number=2) as other:
        link, _ = join(node, other)
        toml = "[tc]\ndeliver = false"
        with Pipeline(node, ["tc"], toml, uplinks=[link.name]) as pipeline:
            edge = Edge(pipeline, pipeline.add_pod(), link.index, link.mac)
            packet = edge.frame(IPv4(FAR4, POD4), TCP(1, 2))
            run = node.call(pipeline.datapath.run, "from_uplink", bytes(packet), ifindex=link.index)
            assert (run.verdict, run.packet) == (Verdict.PASS, bytes(packet))


@pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
def test_pods_of_two_nodes_talk(index):
    """Real traffic comes by the uplink and is redirected into the pod."""
    with Node(number=3) as here, Node(number=4) as there:
        link, _ = join(here, there)
        with Pipeline(here, ["tc"], uplinks=[link.name]) as pipeline:
            pod, far = pipeline.add_pod(), there.add_pod()
            pod.serve(8080)
            data = bytes(range(256)) * 1024
            assert far.request(pod.addresses[index], 8080, data, timeout=10) == data
            assert pipeline.counted("from_uplink", "REDIRECT") > 10
            assert pipeline.drop_reasons() == {}
