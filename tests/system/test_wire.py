# SPDX-License-Identifier: Apache-2.0
"""Frames as no well-behaved pod sends them, over a real device."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest
from tests.system.rig import Rig, tally
from tests.system.traffic import PORT, arrived, listen

from axoneme.datapath.probes import PROBE_MARK
from axoneme.testing.packets import (
    ARP,
    TCP,
    UDP,
    DestinationOptions,
    Ethernet,
    HopByHop,
    IPv4,
    IPv6,
    Packet,
)

if TYPE_CHECKING:
    from typing import Any

    from axoneme.testing import Pod

_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
_ETHERTYPE_VLAN, _ETHERTYPE_QINQ, _ETHERTYPE_MPLS = 0x8100, 0x88A8, 0x8847


def raw(pod: Pod) -> socket.socket:
    """A socket that sends frames as they are."""
    made = pod.socket(socket.AF_PACKET, socket.SOCK_RAW)
    made.bind(("eth0", 0))
    return made


def frame(pod: Pod, *layers: Any, kind: int | None = None) -> Packet:
    """A frame of a pod to its gateway."""
    packet = Packet((Ethernet(pod.mac, pod.node_mac, kind),))
    for layer in layers:
        packet = packet / layer
    return packet


def tagged(pod: Pod, inner: Packet, kind: int = _ETHERTYPE_VLAN) -> bytes:
    """The same with a VLAN tag."""
    data = bytes(inner)
    return data[:12] + struct.pack("!HH", kind, 42) + data[12:]


def send_paged(source: socket.socket, packet: Packet) -> None:
    """Send a frame of more than a page, with all but its Ethernet header in pages."""
    source.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    linear = struct.pack("<BBHHHH", 0, 0, 14, 0, 0, 0)
    source.send(linear + bytes(packet))


def reasons(rig: Rig) -> dict[str, int]:
    """The packets dropped in from_pod by their reason."""
    drops = rig.call(rig.datapath.drops)
    return {drop.reason.name: drop.packets for drop in drops if drop.trunk == "from_pod"}


@pytest.fixture
def pods(rig: Rig) -> tuple[Pod, Pod]:
    """Two pods, attached, whose packets are counted."""
    rig.put(tally=tally())
    return rig.add_pod(), rig.add_pod()


@pytest.mark.parametrize("kind", [_ETHERTYPE_VLAN, _ETHERTYPE_QINQ])
@pytest.mark.parametrize("inner", ["IPv4", "IPv6", "ARP", "VLAN"])
def test_a_pod_has_no_vlans(rig: Rig, pods: tuple[Pod, Pod], kind: int, inner: str) -> None:
    """A tagged frame is dropped as such, whatever is in it."""
    one, two = pods
    contents = {
        "IPv4": frame(one, IPv4(one.ipv4, two.ipv4), UDP(1, PORT)),
        "IPv6": frame(one, IPv6(one.ipv6, two.ipv6), UDP(1, PORT)),
        "ARP": frame(one, ARP(one.ipv4, two.ipv4)),
        "VLAN": frame(one, bytes(40), kind=_ETHERTYPE_VLAN),
    }
    with raw(one) as source:
        source.send(tagged(one, contents[inner], kind))
    assert reasons(rig) == {"vlan_filtered": 1}
    assert rig.tallied("from_pod") == 0


def test_a_pod_sends_ip_and_arp_only(rig: Rig, pods: tuple[Pod, Pod]) -> None:
    """Anything else is dropped, ARP is not."""
    one, two = pods
    with raw(one) as source:
        source.send(bytes(frame(one, bytes(40), kind=_ETHERTYPE_MPLS)))
        source.send(bytes(frame(one, ARP(one.ipv4, two.ipv4))))
    assert reasons(rig) == {"unsupported_l3": 1}


def test_a_pod_cannot_pose_as_ipv4(rig: Rig, pods: tuple[Pod, Pod]) -> None:
    """A mapped source is dropped before any stage sees it."""
    one, two = pods
    with raw(one) as source:
        source.send(bytes(frame(one, IPv6(f"::ffff:{two.ipv4}", two.ipv6), UDP(1, PORT))))
    assert reasons(rig) == {"mapped_address": 1}
    assert rig.tallied("from_pod") == 0


def test_a_pod_cannot_make_a_probe(rig: Rig, pods: tuple[Pod, Pod]) -> None:
    """The mark of a probe on a pod's own socket does not keep its packets from being counted."""
    one, two = pods
    with listen(two) as listener, one.socket(kind=socket.SOCK_DGRAM) as source:
        source.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("=I", PROBE_MARK))
        for _ in range(5):
            source.sendto(b"hello", (str(two.ipv4), PORT))
        assert arrived(listener, 5) == 5
    assert (rig.tallied("from_pod"), rig.tallied("to_pod")) == (5, 5)
    probes = dict(rig.call(rig.datapath.table("probes").read))
    assert {row["count"] for row in probes.values()} == {0}


@pytest.mark.parametrize(
    "headers",
    [
        lambda one, two: (IPv4(one.ipv4, two.ipv4),),
        lambda one, two: (IPv4(one.ipv4, two.ipv4, options=b"\1" * 40),),
        lambda one, two: (IPv6(one.ipv6, two.ipv6),),
        lambda one, two: (IPv6(one.ipv6, two.ipv6), HopByHop(), DestinationOptions()),
    ],
    ids=["IPv4", "IPv4 with options", "IPv6", "IPv6 with extensions"],
)
def test_headers_that_lie_in_pages_are_parsed(rig: Rig, headers: Any) -> None:
    """A packet of which only the Ethernet header is in the linear part is pulled together."""
    rig.put(tally=tally())
    one, two = (rig.node.add_pod(mtu=9000) for _ in range(2))
    rig.attach(one, two)
    packet = frame(one, *headers(one, two), UDP(40000, PORT), b"x" * 6000)
    family = socket.AF_INET6 if IPv6 in packet else socket.AF_INET
    with two.socket(family, socket.SOCK_DGRAM) as listener, raw(one) as source:
        listener.bind(("", PORT))
        listener.settimeout(2)
        send_paged(source, packet)
        assert len(listener.recv(10000)) == 6000
    assert rig.tallied("from_pod") == 1
    assert reasons(rig) == {}


def test_the_longest_headers_that_lie_in_pages_are_parsed(rig: Rig) -> None:
    """TCP behind all the options that IPv4 can have."""
    rig.put(tally=tally())
    one, two = (rig.node.add_pod(mtu=9000) for _ in range(2))
    rig.attach(one, two)
    ip = IPv4(one.ipv4, two.ipv4, options=b"\1" * 40)
    with raw(one) as source:
        send_paged(source, frame(one, ip, TCP(40000, PORT), b"x" * 6000))
    assert rig.tallied("from_pod") == 1
    assert reasons(rig) == {}
