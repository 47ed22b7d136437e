# SPDX-License-Identifier: Apache-2.0
"""What a pod may try with a socket that remembers: nothing passes that would not without."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from plugins.tc.tests.remembering import Seen, remembering, send

from axoneme.model.policy import Direction
from axoneme.model.rule_set import PolicyEntry, PolicyKey
from axoneme.net import Netlink, write_sysctl
from axoneme.net.namespaces import CLONE_FS, CLONE_NEWNET, open_network, unshare
from axoneme.testing import scaled
from axoneme.testing.packets import UDP, IPv4, IPv6

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugins.tc.tests.remembering import Remembering

    from axoneme.testing import Place, Pod

FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
ALLOWED, ALSO_ALLOWED, DENIED = 9001, 9002, 9003
IP_PKTINFO = 8
STRANGERS = ("10.1.0.77", "fd00:10:1::77")
NESTED, NESTED_GATEWAY = "10.1.0.100", "10.99.0.1"
TRANSPARENT = ((socket.SOL_IP, 19), (socket.IPPROTO_IPV6, 75))


@pytest.fixture(scope="module")
def pair(new_ruled) -> Iterator[Remembering]:
    """The second pod lets in what is for two of its ports."""
    with remembering(new_ruled) as found:
        ruled = found.ruled
        ports = (PolicyKey.of(Direction.INGRESS, 1001, 17, p, 16) for p in (ALLOWED, ALSO_ALLOWED))
        ruled.hold(ruled.two, {key: PolicyEntry(20) for key in ports}, default_deny_ingress=True)
        yield found


@contextmanager
def bound(pod: Pod, family: int, *ports: int) -> Iterator[list[socket.socket]]:
    """UDP sockets of a pod at these ports."""
    with ExitStack() as stack:
        kind = (socket.AF_INET, socket.AF_INET6)[family]
        made = [stack.enter_context(pod.socket(kind, socket.SOCK_DGRAM)) for _ in ports]
        for one, port in zip(made, ports, strict=True):
            one.settimeout(scaled(2))
            one.bind((str(pod.addresses[family]), port))
        yield made


@FAMILIES
def test_another_destination_goes_the_whole_way(pair, family):
    """One that is allowed arrives, one that is denied is dropped, by the socket that remembers."""
    ruled, target = pair.ruled, str(pair.ruled.two.addresses[family])
    with (
        bound(ruled.one, family, 0) as (source,),
        bound(ruled.two, family, ALLOWED, ALSO_ALLOWED) as (first, second),
    ):
        send(source, first, (target, ALLOWED), 2)
        assert pair.during(lambda: send(source, first, (target, ALLOWED), 5)) == Seen(5, 0)
        assert pair.during(lambda: send(source, second, (target, ALSO_ALLOWED), 10)) == Seen(0, 10)
        dropped = pair.dropped(lambda: source.sendto(b"x", (target, DENIED)))
        assert dropped == {"policy_denied": 1}
        assert pair.during(lambda: send(source, first, (target, ALLOWED), 5)) == Seen(5, 0)


@FAMILIES
def test_another_source_is_dropped(pair, family):
    """A transparent socket with the ports of a remembered flow, and the socket's own pod."""
    ruled, target = pair.ruled, str(pair.ruled.two.addresses[family])
    kind = (socket.AF_INET, socket.AF_INET6)[family]
    with (
        bound(ruled.one, family, 6001) as (source,),
        bound(ruled.two, family, ALLOWED) as (first,),
        ruled.one.socket(kind, socket.SOCK_DGRAM) as other,
    ):
        send(source, first, (target, ALLOWED), 3)
        other.setsockopt(*TRANSPARENT[family], 1)
        other.bind((STRANGERS[family], 6001))
        dropped = pair.dropped(lambda: [other.sendto(b"x", (target, ALLOWED)) for _ in range(3)])
        assert dropped == {"invalid_source_ip": 3}
        assert pair.kept(other) is None


def test_a_socket_that_changes_its_source_is_dropped(pair):
    """The same socket: an ancillary message gives a packet another source address."""
    ruled, target = pair.ruled, str(pair.ruled.two.ipv4)
    with (
        ruled.one.socket(kind=socket.SOCK_DGRAM) as source,
        bound(ruled.two, 0, ALLOWED) as (first,),
    ):
        source.setsockopt(*TRANSPARENT[0], 1)
        source.bind(("0.0.0.0", 6002))
        send(source, first, (target, ALLOWED), 3)
        assert pair.kept(source)
        packet_info = bytes(4) + socket.inet_aton(STRANGERS[0]) + bytes(4)
        told = [(socket.IPPROTO_IP, IP_PKTINFO, packet_info)]
        dropped = pair.dropped(lambda: source.sendmsg([b"x"], told, 0, (target, ALLOWED)))
        assert dropped == {"invalid_source_ip": 1}


@FAMILIES
def test_a_raw_socket_is_neither_recalled_nor_remembered(pair, family):
    """It sends the packets of the remembered flow, or those of others, which are dropped."""
    ruled = pair.ruled
    own, peer = (str(pod.addresses[family]) for pod in (ruled.one, ruled.two))
    header, kind = (IPv4, IPv6)[family], (socket.AF_INET, socket.AF_INET6)[family]
    with (
        bound(ruled.one, family, 6003) as (source,),
        bound(ruled.two, family, ALLOWED) as (first,),
        ruled.one.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw,
    ):
        send(source, first, (peer, ALLOWED), 3)
        packet = bytes(header(own, peer) / UDP(6003, ALLOWED) / b"raw")
        assert pair.during(lambda: [raw.sendto(packet, (peer, 0)) for _ in range(5)]) == Seen(0, 5)
        assert pair.kept(raw) is None
        forged = bytes(header(peer, peer) / UDP(6003, ALLOWED) / b"raw")
        dropped = pair.dropped(lambda: raw.sendto(forged, (peer, 0)))
        assert dropped == {"invalid_source_ip": 1}


def test_a_packet_socket_is_neither_recalled_nor_remembered(pair):
    """It sends whole frames of the remembered flow."""
    ruled = pair.ruled
    with (
        bound(ruled.one, 0, 6004) as (source,),
        bound(ruled.two, 0, ALLOWED) as (first,),
        ruled.one.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as frames,
    ):
        send(source, first, (str(ruled.two.ipv4), ALLOWED), 3)
        packet = bytes(IPv4(str(ruled.one.ipv4), str(ruled.two.ipv4)) / UDP(6004, ALLOWED) / b"x")
        to = ("eth0", 0x0800, 0, 0, ruled.one.node_mac)
        assert pair.during(lambda: [frames.sendto(packet, to) for _ in range(5)]) == Seen(0, 5)
        assert pair.kept(frames) is None


def test_a_socket_given_to_another_pod_speaks_for_its_own(pair):
    """A socket keeps its namespace: what it sends leaves by its pod's link, as that pod."""
    ruled, target = pair.ruled, (str(pair.ruled.two.ipv4), ALLOWED)
    with bound(ruled.one, 0, 6005) as (source,), bound(ruled.two, 0, ALLOWED) as (first,):
        send(source, first, target, 3)
        here, there = socket.socketpair(socket.AF_UNIX)
        with here, there:
            socket.send_fds(here, [b"f"], [source.fileno()])

            def use() -> None:
                _, (given,), _, _ = socket.recv_fds(there, 1, 1)
                with socket.socket(fileno=given) as passed:
                    for _ in range(5):
                        passed.sendto(b"passed", target)

            assert pair.during(lambda: ruled.two.call(use)) == Seen(5, 0)
        assert first.recvfrom(10)[1] == (str(ruled.one.ipv4), 6005)
        refused = (str(ruled.two.ipv4), DENIED)
        assert pair.dropped(lambda: source.sendto(b"x", refused)) == {"policy_denied": 1}


def _nest(pod: Place) -> Any:
    """A namespace behind a pod, which the pod routes for; its worker."""
    worker = pod.worker("nested")
    worker.call(unshare, CLONE_FS | CLONE_NEWNET)
    network = worker.call(open_network)
    try:

        def here() -> None:
            write_sysctl("net/ipv4/ip_forward", 1)
            with Netlink() as netlink:
                link = netlink.add_veth("nest0", "eth0", peer_network=network)
                netlink.change_link(link, up=True)
                netlink.add_address(link, f"{NESTED_GATEWAY}/32")
                netlink.add_route(NESTED, link)

        def there() -> None:
            with Netlink() as netlink:
                link = netlink.link("eth0")
                netlink.change_link(link, up=True)
                netlink.add_address(link, f"{NESTED}/32")
                netlink.add_route(NESTED_GATEWAY, link)
                netlink.add_route("0.0.0.0/0", link, gateway=NESTED_GATEWAY)

        pod.call(here)
        worker.call(there)
    finally:
        os.close(network)
    return worker


def test_what_a_pod_forwards_goes_the_whole_way(pair):
    """From a namespace behind it: the packets have no socket any more at the pod's link."""
    ruled = pair.ruled
    endpoint = evolve(
        ruled.one.endpoint(1001), addresses=(*ruled.one.addresses, ip_address(NESTED))
    )
    ruled.call(ruled.pipeline.engine.add_endpoint, endpoint)
    nested = _nest(ruled.one)
    with (
        bound(ruled.two, 0, ALLOWED) as (first,),
        nested.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as source,
    ):
        to = (str(ruled.two.ipv4), ALLOWED)
        assert pair.during(lambda: send(source, first, to, 6)) == Seen(0, 6)
        assert pair.kept(source) is None
