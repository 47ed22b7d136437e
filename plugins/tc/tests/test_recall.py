# SPDX-License-Identifier: Apache-2.0
"""recall and remember on real sockets: which packets are recalled, and which never are."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
from plugins.tc.tests.remembering import Seen, remembering, send

from axoneme.datapath.clock import now
from axoneme.datapath.conntrack import FlowState, read_flows
from axoneme.model import pack_address
from axoneme.testing import scaled
from axoneme.testing.packets import UDP, Ethernet, IPv4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plugins.tc.tests.remembering import Remembering

FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
ESTABLISHED, REPLY, BOTH = 2, 3, 0x30
IP_RECVERR, IP_RECVTTL = 11, 12


@pytest.fixture(scope="module")
def pair(new_ruled) -> Iterator[Remembering]:
    """Two pods that may speak to each other."""
    with remembering(new_ruled) as found:
        yield found


@pytest.fixture
def udp(pair) -> Iterator[Callable[..., socket.socket]]:
    """udp(pod, family, port): a socket of a pod, bound where a port is given."""
    made: list[socket.socket] = []

    def make(pod: Any, family: int = 0, port: int = 0) -> socket.socket:
        one = pod.socket((socket.AF_INET, socket.AF_INET6)[family], socket.SOCK_DGRAM)
        made.append(one)
        one.settimeout(scaled(2))
        one.bind((str(pod.addresses[family]), port))
        return one

    yield make
    for one in made:
        one.close()


def at(source: socket.socket) -> tuple[Any, ...]:
    """Where a socket is."""
    found: tuple[Any, ...] = source.getsockname()
    return found


@FAMILIES
def test_a_flow_is_recalled_from_its_third_packet_on(pair, udp, family):
    """The first begins it, the second is established and remembered; both directions are."""
    one, two = udp(pair.ruled.one, family), udp(pair.ruled.two, family)
    assert pair.during(lambda: send(one, two, at(two), 2)) == Seen(0, 2)
    assert pair.during(lambda: send(one, two, at(two), 10)) == Seen(10, 0)
    assert pair.during(lambda: send(two, one, at(one), 10)) == Seen(9, 1)


@FAMILIES
def test_a_socket_keeps_all_that_is_known_of_its_flow(pair, udp, family):
    """Whose it is, where it goes and by which rules: what the stages would say of each packet."""
    ruled = pair.ruled
    one, two = udp(ruled.one, family), udp(ruled.two, family)
    send(one, two, at(two), 2)
    send(two, one, at(one), 1)
    kept = pair.kept(one)
    assert kept["tuple.saddr"] == pack_address(ruled.one.addresses[family])
    assert kept["tuple.daddr"] == pack_address(ruled.two.addresses[family])
    assert (kept["tuple.sport"], kept["tuple.dport"]) == (at(one)[1], at(two)[1])
    assert kept["tuple.proto"] == socket.IPPROTO_UDP
    assert kept["generation"] == ruled.call(lambda: ruled.rules.runtime.generation)
    assert kept["ifindex"] == ruled.one.ifindex
    assert (kept["src_identity"], kept["src_endpoint"]) == (1001, ruled.one.number)
    assert (kept["to.identity"], kept["to.id"]) == (1002, ruled.two.number)
    assert (kept["to.mac"], kept["to.node_mac"]) == (ruled.two.mac, ruled.two.node_mac)
    assert kept["to.ifindex"] == ruled.two.ifindex
    assert (kept["conntrack"], kept["granted"]) == (ESTABLISHED, BOTH)
    back = pair.kept(two)
    assert (back["src_identity"], back["to.identity"]) == (1002, 1001)
    assert (back["conntrack"], back["granted"]) == (REPLY, 0)


@FAMILIES
def test_a_connection_is_recalled_both_ways(pair, family):
    """But for what opens and ends it: connection tracking sees both sides' FIN."""
    ruled = pair.ruled
    data = bytes(range(256)) * 4096
    with ruled.two.serve(0) as server:
        with ruled.one.connect(ruled.two.addresses[family], server.port, timeout=10) as client:

            def talk() -> None:
                client.sendall(data)
                got = 0
                while got < len(data):
                    got += len(client.recv(1 << 16))

            seen = pair.during(talk)
            assert seen.recalled > 10 * seen.whole
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        flows = read_flows(ruled.pipeline.datapath.table("conntrack"))
        state = next(f.state for f in flows if f.dport == server.port)
    assert state & FlowState.FIN_SENT
    assert state & FlowState.FIN_REPLIED


def test_a_reset_is_seen_by_connection_tracking(pair):
    """It comes by the socket whose flow was recalled."""
    ruled = pair.ruled
    with ruled.two.serve(0) as server:
        client = ruled.one.connect(ruled.two.ipv4, server.port)
        for _ in range(3):
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        assert pair.kept(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        flows = read_flows(ruled.pipeline.datapath.table("conntrack"))
        assert next(f.state for f in flows if f.dport == server.port) & FlowState.RESET


def test_a_mapped_socket_is_like_any_other(pair, udp):
    """One of IPv6 that speaks IPv4 by ::ffff:0:0/96 sends IPv4 packets."""
    ruled = pair.ruled
    two = udp(ruled.two)
    with ruled.one.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
        one.connect((f"::ffff:{ruled.two.ipv4}", at(two)[1]))
        for _ in range(2):
            one.send(b"x")
        assert pair.during(lambda: [one.send(b"x") for _ in range(5)]) == Seen(5, 0)
        assert pair.kept(one)["tuple.saddr"] == pack_address(ruled.one.ipv4)


@FAMILIES
def test_fragments_go_the_whole_way(pair, udp, family):
    """Of a socket whose flow is recalled, too: only the first has the ports."""
    one, two = udp(pair.ruled.one, family), udp(pair.ruled.two, family)
    send(one, two, at(two), 3)
    before = pair.kept(one)

    def send_large() -> None:
        one.sendto(bytes(4000), at(two))
        assert len(two.recv(5000)) == 4000

    assert pair.during(send_large) == Seen(0, 3)
    assert pair.during(lambda: send(one, two, at(two), 3)) == Seen(3, 0)
    assert pair.kept(one) == before


def test_a_packet_at_its_last_hop_goes_the_whole_way(pair, udp):
    """The node's kernel answers it, as it does without."""
    one, two = udp(pair.ruled.one), udp(pair.ruled.two)
    send(one, two, at(two), 3)
    one.connect(at(two))
    one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    one.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    one.send(b"x")
    with pytest.raises(OSError, match="No route to host"):
        one.recv(10)
    one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 2)
    assert pair.during(lambda: one.send(b"x")) == Seen(1, 0)


def test_a_hop_is_taken_off_what_is_recalled(pair, udp):
    """The receiver sees the same hop limit either way."""
    one, two = udp(pair.ruled.one), udp(pair.ruled.two)
    two.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)

    def hops() -> int:
        one.sendto(b"x", at(two))
        _, ((_, _, data),), _, _ = two.recvmsg(10, 100)
        return int.from_bytes(data, "little")

    assert [hops() for _ in range(4)] == [63] * 4


def test_a_socket_that_speaks_to_many_keeps_one(pair, udp):
    """The others go the whole way, all the time that the first one's lease holds."""
    one, two, other = (udp(pod) for pod in (pair.ruled.one, pair.ruled.two, pair.ruled.two))
    send(one, two, at(two), 2)
    assert pair.during(lambda: send(one, other, at(other), 10)) == Seen(0, 10)
    assert pair.during(lambda: send(one, two, at(two), 10)) == Seen(10, 0)


def test_when_a_lease_ends_a_packet_goes_the_whole_way(new_ruled):
    """It renews lease and connection; a socket that speaks to many may keep another one then."""
    with remembering(new_ruled, '[tc]\nsocket-cache-lease = "1.5s"') as pair:
        one, two, other = (
            pod.socket(kind=socket.SOCK_DGRAM)
            for pod in (pair.ruled.one, pair.ruled.two, pair.ruled.two)
        )
        with one, two, other:
            for each in (two, other):
                each.bind((str(pair.ruled.two.ipv4), 0))
                each.settimeout(scaled(2))
            send(one, two, at(two), 2)
            table = pair.ruled.pipeline.datapath.table("conntrack")
            (before,) = (f.expiry for f in read_flows(table))
            time.sleep(2)
            assert pair.during(lambda: send(one, two, at(two), 5)) == Seen(4, 1)
            (flow,) = read_flows(table)
            assert flow.expiry > before
            assert flow.expiry > now()
            time.sleep(2)
            assert pair.during(lambda: send(one, other, at(other), 5)) == Seen(3, 2)
            assert pair.kept(one)["tuple.dport"] == at(other)[1]


def test_a_short_connection_is_not_remembered(new_ruled):
    """It would cost more than it gains: its socket has sent too little."""
    with remembering(new_ruled, after=8) as pair, pair.ruled.two.serve(0) as server:
        assert (
            pair.during(lambda: pair.ruled.one.request(pair.ruled.two.ipv4, server.port)).recalled
            == 0
        )
        with pair.ruled.one.connect(pair.ruled.two.ipv4, server.port) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            assert pair.kept(client) is None
            for _ in range(10):
                client.sendall(b"x")
                assert client.recv(1) == b"x"
            assert pair.kept(client)


def test_a_probe_of_a_remembered_flow_asks_every_stage(pair, udp):
    """It has no socket: explain shows what the packet would meet on the whole way."""
    ruled = pair.ruled
    one, two = udp(ruled.one), udp(ruled.two)
    send(one, two, at(two), 3)
    kept = pair.kept(one)
    packet = Ethernet() / IPv4(*map(str, (ruled.one.ipv4, ruled.two.ipv4)))
    packet /= UDP(at(one)[1], at(two)[1])
    run, steps = ruled.pipeline.probe("from_pod", bytes(packet), pod=ruled.one)
    assert run.verdict.name == "REDIRECT"
    assert [s.stage for s in steps if s.trunk == "from_pod"][:4] == [
        "recall",
        "admit",
        "track",
        "policy",
    ]
    assert pair.kept(one) == kept


def test_nothing_is_recalled_where_it_is_off(new_ruled):
    """The stages are empty, and all packets go the whole way."""
    with remembering(new_ruled, "[tc]\nsocket-cache = false") as pair:
        assert pair.ruled.pipeline.datapath.assembly.lanes.get("recall") is None
        assert pair.ruled.pipeline.datapath.assembly.lanes["remember"] == ("count",)
        with (
            pair.ruled.two.serve(0, protocol="udp") as server,
            pair.ruled.one.connect(pair.ruled.two.ipv4, server.port, protocol="udp") as one,
        ):

            def talk() -> None:
                for _ in range(10):
                    one.send(b"x")
                    assert one.recv(10) == b"x"

            assert pair.during(talk) == Seen(0, 20)
