# SPDX-License-Identifier: Apache-2.0
"""Policies between the pods of two nodes, by native routes and through the tunnel."""

from __future__ import annotations

import errno
import socket

import pytest
from tests.system.cluster import Cluster
from tests.system.complaints import complaint, udp
from tests.system.traffic import INIT_ACK, associates

from axoneme.datapath import Remote
from axoneme.model.policy import Direction
from axoneme.model.rule_set import PolicyEntry, PolicyKey, RuleSet

FAMILIES = pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
FRIEND, STRANGER, SERVER, CLOSED, ASSOCIATED = 2001, 2002, 2003, 2004, 2010
PORT, RULE = 8080, 16
_MTU_HEADERS = (28, 48)


@pytest.fixture(scope="module", params=["native", "tunnel"])
def cluster(request):
    """Two nodes, in each mode."""
    with Cluster(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def server(cluster):
    """A pod of the second node that lets a friend reach one UDP port, and nobody anything else."""
    made = cluster.add_pod(2, identity=SERVER)
    key = PolicyKey.of(Direction.INGRESS, FRIEND, socket.IPPROTO_UDP, PORT, 16)
    rules = RuleSet({key: PolicyEntry(RULE)}, default_deny_ingress=True)
    cluster.hold(2, made, SERVER, rules)
    with made.serve(PORT, protocol="udp", reply=lambda data, _: len(data).to_bytes(2, "big")):
        yield made


@pytest.fixture(scope="module")
def friend(cluster):
    """A pod of the first node that the server knows."""
    return cluster.add_pod(1, identity=FRIEND)


@pytest.fixture(scope="module")
def stranger(cluster):
    """One that it does not know."""
    return cluster.add_pod(1, identity=STRANGER)


def length(source, server, index, size):
    """What the server says how long a datagram of a pod was."""
    answer = source.request(server.addresses[index], PORT, bytes(size), protocol="udp", timeout=0.5)
    return int.from_bytes(answer, "big")


@FAMILIES
def test_a_friend_reaches_what_it_may_and_a_stranger_nothing(
    cluster, server, friend, stranger, index
):
    """The identity of a pod of another node decides, and the other node counts what it drops."""
    assert length(friend, server, index, 100) == 100
    before = cluster.dropped(2, "policy_denied")
    with pytest.raises(TimeoutError):
        length(stranger, server, index, 100)
    assert cluster.dropped(2, "policy_denied") == before + 1
    assert not friend.reaches(server.addresses[index], PORT, timeout=0.3)  # TCP


@FAMILIES
def test_fragments_of_what_a_friend_may_send_are_let_in(server, friend, index):
    """Those that have no ports are judged by the first one's."""
    assert length(friend, server, index, 5000) == 5000


@FAMILIES
def test_an_association_of_sctp_is_let_in_where_its_port_is(cluster, friend, associated, index):
    """And its answer comes back without a rule; no other port, and nobody who is not a friend."""
    server, stranger = associated, cluster.add_pod(1, identity=STRANGER)
    there, back = server.addresses[index], friend.addresses[index]
    assert not associates(stranger, server, there, 36412)
    assert not associates(friend, server, there, 36413)
    assert not associates(server, friend, back, 40001, source_port=36412)
    assert associates(friend, server, there, 36412, source_port=40000)
    assert associates(server, friend, back, 40000, source_port=36412, chunk=INIT_ACK)


@pytest.fixture(scope="module")
def associated(cluster):
    """A pod of the second node that lets a friend reach one SCTP port, and speaks to nobody."""
    made = cluster.add_pod(2, identity=ASSOCIATED)
    key = PolicyKey.of(Direction.INGRESS, FRIEND, socket.IPPROTO_SCTP, 36412, 16)
    closed = {"default_deny_ingress": True, "default_deny_egress": True}
    cluster.hold(2, made, ASSOCIATED, RuleSet({key: PolicyEntry(RULE)}, **closed))
    return made


@FAMILIES
def test_who_sent_it_is_taken_from_where_it_is_known_best(cluster, server, stranger, index):
    """Through the tunnel the sender's node says so, else ipcache does: here they do not agree."""
    address = stranger.addresses[index]
    tunnel = cluster.network(2).tunnel_to(cluster.records[0])
    cluster.know(2, {address: Remote(FRIEND, tunnel)})
    if tunnel is None:
        assert length(stranger, server, index, 100) == 100
    else:
        with pytest.raises(TimeoutError):
            length(stranger, server, index, 100)
    cluster.introduce(stranger, 1, STRANGER)


@FAMILIES
@pytest.mark.parametrize("hops", [1, 2])
def test_a_closed_pod_hears_that_its_hops_have_ended(cluster, server, closed, index, hops):
    """Nobody may reach it, but what nodes say of its own packets is its own affair."""
    with udp(closed, index, server.addresses[index], PORT, hops=hops) as source:
        source.send(b"hello")
        assert complaint(source) == (
            errno.EHOSTUNREACH,
            str(cluster.node(hops).addresses[index]),
        )


@FAMILIES
def test_a_closed_pod_hears_that_a_port_is_closed(closed, friend_there, index):
    """The other pod's refusal is about a flow that is known."""
    with udp(closed, index, friend_there.addresses[index]) as source:
        source.send(b"hello")
        assert complaint(source) == (errno.ECONNREFUSED, str(friend_there.addresses[index]))


@FAMILIES
def test_a_closed_pod_hears_how_long_packets_may_be(request, cluster, friend_there, index):
    """Path MTU discovery works under default deny."""
    netlink = cluster.node(1).netlink
    uplink = netlink.link("uplink2")
    netlink.change_link(uplink, mtu=1400)
    request.addfinalizer(lambda: netlink.change_link(uplink, mtu=1500))
    careless = cluster.add_pod(1, identity=CLOSED + 1 + index, careless=True)
    cluster.hold(1, careless, CLOSED + 1 + index, RuleSet({}, default_deny_ingress=True))
    with udp(careless, index, friend_there.addresses[index]) as source:
        source.send(bytes(1500 - _MTU_HEADERS[index]))
        assert complaint(source)[0] == errno.EMSGSIZE


@FAMILIES
def test_nobody_else_reaches_a_closed_pod(cluster, closed, friend_there, index):
    """An error about a flow that is none is not let in, and neither is anything else."""
    before = cluster.dropped(1, "policy_denied")
    with friend_there.connect(closed.addresses[index], PORT, protocol="udp") as source:
        source.settimeout(0.3)
        source.send(b"hello")
        with pytest.raises(TimeoutError):
            source.recv(64)
    assert cluster.dropped(1, "policy_denied") == before + 1


@pytest.fixture(scope="module")
def closed(cluster):
    """A pod of the first node that nobody may reach."""
    made = cluster.add_pod(1, identity=CLOSED)
    cluster.hold(1, made, CLOSED, RuleSet({}, default_deny_ingress=True))
    return made


@pytest.fixture(scope="module")
def friend_there(cluster):
    """A pod of the second node that no policy selects."""
    return cluster.add_pod(2, identity=FRIEND)
