# SPDX-License-Identifier: Apache-2.0
"""Connection tracking and policy on real traffic: two pods under default deny."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from axoneme.datapath.conntrack import FlowState, read_flows
from axoneme.model.policy import Direction
from axoneme.model.rule_set import PolicyEntry, PolicyKey
from axoneme.testing import scaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugins.tc.tests.conftest import Ruled

    from axoneme.datapath.conntrack import Flow

CLIENT, SERVER = 1001, 1002
OUT_RULE, IN_RULE = 41, 42
CLOSED = FlowState.FIN_SENT | FlowState.FIN_REPLIED
FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])


@pytest.fixture(scope="module")
def pods(new_ruled) -> Iterator[Ruled]:
    """The first pod may speak to the second, and that is all that anybody may."""
    with new_ruled("") as ruled:
        allow(ruled)
        ruled.two.serve(8080)
        ruled.two.serve(8053, protocol="udp")
        ruled.one.serve(9090)
        yield ruled


def allow(ruled: Ruled, *, ingress: bool = True) -> None:
    """Let the first pod out to the second, and the second be reached by it."""
    out = PolicyKey.of(Direction.EGRESS, SERVER)
    into = {PolicyKey.of(Direction.INGRESS, CLIENT): PolicyEntry(IN_RULE)} if ingress else {}
    denied = {"default_deny_ingress": True, "default_deny_egress": True}
    ruled.hold(ruled.one, {out: PolicyEntry(OUT_RULE)}, **denied)
    ruled.hold(ruled.two, into, **denied)


def flows(pods: Ruled, port: int) -> list[Flow]:
    """The flows to a port."""
    return [
        flow for flow in read_flows(pods.pipeline.datapath.table("conntrack")) if flow.dport == port
    ]


@FAMILIES
def test_replies_pass_where_nothing_else_may(pods, family):
    """A connection and its answer cross; the same pods cannot speak the other way round."""
    server, client = pods.two.addresses[family], pods.one.addresses[family]
    assert pods.one.request(server, 8080, b"hello") == b"hello"
    assert not pods.two.reaches(client, 9090, timeout=0.3)
    flow = next(f for f in flows(pods, 8080) if f.source == client)
    assert (flow.egress.rule, flow.ingress.rule) == (OUT_RULE, IN_RULE)
    assert flow.state & CLOSED == CLOSED
    assert flow.state & FlowState.CONFIRMED


@FAMILIES
def test_a_refused_datagram_is_told(pods, family):
    """The server's ICMP error belongs to the client's flow, and passes without a rule."""
    with pods.one.connect(pods.two.addresses[family], 4444, protocol="udp") as socket:
        socket.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            socket.recv(100)


@FAMILIES
def test_datagrams_in_fragments_cross_both_ways(pods, family):
    """Their later parts have no ports, and follow the first."""
    data = bytes(range(256)) * 20
    server = pods.two.addresses[family]
    assert pods.one.request(server, 8053, data, protocol="udp") == data


@FAMILIES
def test_a_policy_that_changes_holds_for_open_connections(pods, family):
    """What is no longer allowed stops at the next packet, and goes on when it is again."""
    with pods.one.connect(pods.two.addresses[family], 8080, timeout=10) as socket:
        socket.sendall(b"one")
        assert socket.recv(100) == b"one"
        allow(pods, ingress=False)
        socket.settimeout(scaled(0.3))
        socket.sendall(b"two")
        with pytest.raises(TimeoutError):
            socket.recv(100)
        allow(pods)
        socket.settimeout(scaled(10))
        assert socket.recv(100) == b"two"
