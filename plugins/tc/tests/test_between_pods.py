# SPDX-License-Identifier: Apache-2.0
"""The tc plugin on real traffic between two pods."""

from __future__ import annotations

import socket

import pytest

from axoneme.testing import scaled
from axoneme.testing.packets import UDP, Ethernet, IPv4, IPv6

_IP_RECVERR, _IPV6_RECVERR = 11, 25


@pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
def test_a_datagram_in_fragments_arrives_whole(pair, index):
    """Later fragments have no ports, and find their way by their addresses."""
    one, two = pair.one, pair.two
    with two.serve(8080, protocol="udp", reply=lambda data, _: len(data).to_bytes(2, "big")):
        answer = one.request(two.addresses[index], 8080, bytes(5000), protocol="udp")
    assert int.from_bytes(answer, "big") == 5000


@pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
def test_a_stream_of_a_megabyte_arrives(pair, index):
    """Large segments go the same way."""
    one, two = pair.one, pair.two
    data = bytes(range(256)) * 4096
    with two.serve(8080):
        assert one.request(two.addresses[index], 8080, data, timeout=10) == data


@pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
def test_the_node_answers_for_a_packet_at_its_last_hop(pair, index):
    """The sender hears that the time was exceeded, as on any router."""
    one, two = pair.one, pair.two
    family = (socket.AF_INET, socket.AF_INET6)[index]
    with one.socket(family, socket.SOCK_DGRAM) as source:
        source.settimeout(scaled(2))
        if index == 0:
            source.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
            source.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            source.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)
            source.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        source.connect((str(two.addresses[index]), 9))
        source.send(b"hello")
        with pytest.raises(OSError, match="No route to host"):
            source.recv(64)


@pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
def test_what_a_pod_sends_with_anothers_address_arrives_nowhere(pair, index):
    """It is dropped on its first hop, and counted as what it is."""
    one, two = pair.one, pair.two
    kind = (IPv4, IPv6)[index]
    spoofed = ("10.1.0.77", "fd00:10:1::77")[index]
    family = (socket.AF_INET, socket.AF_INET6)[index]
    before = pair.pipeline.dropped("invalid_source_ip")
    with (
        two.socket(family, socket.SOCK_DGRAM) as listener,
        one.socket(socket.AF_PACKET, socket.SOCK_RAW) as source,
    ):
        listener.bind(("", 9000))
        listener.settimeout(scaled(0.2))
        source.bind(("eth0", 0))
        for address in (spoofed, one.addresses[index]):
            packet = Ethernet(one.mac, one.node_mac) / kind(address, two.addresses[index])
            source.send(bytes(packet / UDP(40000, 9000) / str(address).encode()))
        assert listener.recv(64).decode() == str(one.addresses[index])
        with pytest.raises(TimeoutError):
            listener.recv(64)
    assert pair.pipeline.dropped("invalid_source_ip") == before + 1
