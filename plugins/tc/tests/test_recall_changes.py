# SPDX-License-Identifier: Apache-2.0
"""What is remembered holds for a generation: every change of what verdicts follow from ends it."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from plugins.tc.tests.remembering import LONG, Seen, remembering, send

from axoneme.agent.status import describe_plugins
from axoneme.datapath.conntrack import read_flows
from axoneme.model.policy import Direction
from axoneme.model.rule_set import PolicyEntry, PolicyKey
from axoneme.testing import fake_plugin, plugin_object, scaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugins.tc.tests.remembering import Remembering

PORT = 9001
TO_TWO = {PolicyKey.of(Direction.INGRESS, 1001): PolicyEntry(20)}
CLOSING = """
    #include <axoneme/plugin.h>
    AXN_STAGE(policy)
    {
        return packet->tuple.dport == bpf_htons(9001)
                   ? axn_drop(packet, AXN_REASON_POLICY_DENY) : AXN_NEXT;
    }
"""
FLOW_ASKS = """
    if (packet->tuple.dport == bpf_htons(9002)) {
        packet->flags |= AXN_EACH_PACKET;
    }
"""


@pytest.fixture(scope="module")
def pair_of_the_module(new_ruled) -> Iterator[Remembering]:
    """The pair, made once."""
    with remembering(new_ruled) as found:
        yield found


@pytest.fixture
def pair(pair_of_the_module) -> Remembering:
    """The two pods as they were, of which the second lets in the first."""
    ruled = pair_of_the_module.ruled
    engine = ruled.pipeline.engine
    for number in ruled.call(lambda: list(engine.datapath.endpoints)):
        if number not in {ruled.one.number, ruled.two.number}:
            ruled.call(engine.remove_endpoint, number)
    ruled.add(ruled.one, 1001)
    ruled.add(ruled.two, 1002)
    ruled.hold(ruled.two, TO_TWO, default_deny_ingress=True)
    ruled.call(ruled.pipeline.datapath.table("conntrack").clear)
    return pair_of_the_module


@contextmanager
def talking(pair: Remembering, port: int = PORT) -> Iterator[tuple[Any, Any, Any]]:
    """A sender and a receiver with a flow that is remembered, and where the receiver is."""
    ruled = pair.ruled
    with (
        ruled.one.socket(kind=socket.SOCK_DGRAM) as one,
        ruled.two.socket(kind=socket.SOCK_DGRAM) as two,
    ):
        two.settimeout(scaled(2))
        two.bind((str(ruled.two.ipv4), port))
        send(one, two, two.getsockname(), 3)
        yield one, two, two.getsockname()


def test_a_policy_holds_from_its_generation_on(pair):
    """Rules that were changed without one are not noticed; with it, at the next packet."""
    ruled = pair.ruled
    with talking(pair) as (one, two, to):
        ruled.call(ruled.pipeline.datapath.table("policy").clear)
        assert pair.during(lambda: send(one, two, to, 5)) == Seen(5, 0)
        ruled.call(ruled.rules.runtime.bump)
        dropped = pair.dropped(lambda: [one.sendto(b"x", to) for _ in range(3)])
        assert dropped == {"policy_denied": 3}
        ruled.call(ruled.rules.reconcile)
        assert pair.during(lambda: send(one, two, to, 5)) == Seen(4, 1)


def test_a_policy_that_is_changed_holds_at_once(pair):
    """As the agent changes it: the rules first, then the generation."""
    ruled = pair.ruled
    with talking(pair) as (one, two, to):
        ruled.hold(ruled.two, default_deny_ingress=True)
        assert pair.dropped(lambda: one.sendto(b"x", to)) == {"policy_denied": 1}
        ruled.hold(ruled.two, TO_TWO, default_deny_ingress=True)
        assert pair.during(lambda: send(one, two, to, 5)) == Seen(4, 1)


def test_a_generation_asks_once_and_connection_tracking_keeps_it(pair):
    """The next packet goes the whole way and is granted anew; the one after it is recalled."""
    ruled = pair.ruled
    with talking(pair) as (one, two, to):
        generation = ruled.call(ruled.rules.runtime.bump)
        assert pair.during(lambda: send(one, two, to, 5)) == Seen(4, 1)
        (flow,) = read_flows(ruled.pipeline.datapath.table("conntrack"))
        assert flow.ingress.generation == generation
        assert pair.kept(one)["generation"] == generation


def test_an_endpoint_that_goes_is_sent_nothing_more(pair):
    """Another one that comes with its address gets the packets."""
    ruled = pair.ruled
    engine, third = ruled.pipeline.engine, ruled.pipeline.add_pod("third")
    with talking(pair) as (one, two, to):
        ruled.call(engine.remove_endpoint, ruled.two.number)
        seen = pair.during(lambda: [one.sendto(b"routed", to) for _ in range(3)])
        assert seen == Seen(0, 3)  # the kernel's routes still know the way
        _take_address(third, ruled.two.ipv4)
        moved = evolve(third.endpoint(1002), addresses=(ruled.two.ipv4,))
        ruled.call(engine.remove_endpoint, third.number)
        ruled.call(engine.add_endpoint, moved)
        with third.socket(kind=socket.SOCK_DGRAM) as there:
            there.settimeout(scaled(2))
            there.bind(to)
            assert pair.during(lambda: send(one, there, to, 5)) == Seen(4, 1)
            two.setblocking(False)
            assert {two.recv(10) for _ in range(3)} == {b"routed"}
            with pytest.raises(BlockingIOError):
                two.recv(10)


def _take_address(pod: Any, address: Any) -> None:
    from axoneme.net import Netlink

    def add() -> None:
        with Netlink() as netlink:
            netlink.add_address(netlink.link("eth0"), f"{address}/32")

    pod.call(add)


def test_an_endpoint_that_changes_is_known_as_what_it_is(pair):
    """Its identity is another one, which no rule lets in."""
    ruled = pair.ruled
    with talking(pair) as (one, _, to):
        ruled.add(ruled.one, 3003)
        assert pair.dropped(lambda: one.sendto(b"x", to)) == {"policy_denied": 1}


def test_a_source_that_goes_is_dropped(pair):
    """Its socket remembers, and its pod speaks for an address that nobody has."""
    ruled = pair.ruled
    with talking(pair) as (one, _, to):
        ruled.call(ruled.pipeline.engine.remove_endpoint, ruled.one.number)
        bare = evolve(ruled.one.endpoint(1001), addresses=(ruled.one.ipv6,))
        ruled.call(ruled.pipeline.engine.add_endpoint, bare)
        assert pair.dropped(lambda: one.sendto(b"x", to)) == {"invalid_source_ip": 1}


def test_programs_that_are_swapped_decide_anew(pair):
    """What those before them decided holds no longer, nor what a killed agent left untold."""
    ruled = pair.ruled
    toml = LONG.format(after=0) + "allow-host = {}"
    with talking(pair) as (one, two, to):
        assert ruled.pipeline.configure(toml.format("false")).swap
        assert pair.during(lambda: send(one, two, to, 5)) == Seen(4, 1)
        ruled.call(ruled.pipeline.datapath.table("policy").clear)
        assert ruled.pipeline.configure(toml.format("true")).swap
        assert pair.dropped(lambda: one.sendto(b"x", to)) == {"policy_denied": 1}
        ruled.call(ruled.rules.reconcile)


def test_what_wants_every_packet_gets_it(new_ruled):
    """Nothing is recalled beside a plugin that did not say AXN_PER_FLOW; status names it."""
    with remembering(new_ruled, tags="") as pair:
        assembly = pair.ruled.pipeline.datapath.assembly
        assert assembly.asked_always == {"tc": ("count",)}
        assert "recall" not in assembly.lanes
        told = {row["name"]: row["reason"] for row in describe_plugins(pair.ruled.pipeline.engine)}
        assert told["tc"] == "recalls nothing: count must see every packet"
        assert told["count"] == ""
        with talking(pair) as (one, two, to):
            assert pair.during(lambda: send(one, two, to, 5)) == Seen(0, 5)
            assert pair.kept(one) is None


def test_a_plugin_that_comes_sees_flows_that_were_remembered(new_ruled):
    """It refuses one that was recalled until then."""
    closing = fake_plugin("closing", plugin_object(CLOSING, "closing"))
    with remembering(new_ruled, LONG.format(after=0), closing) as pair:
        pipeline = pair.ruled.pipeline
        assert pipeline.configure(LONG.format(after=0), plugins=["tc", "count"]).swap
        with talking(pair) as (one, two, to):
            assert pair.during(lambda: send(one, two, to, 3)) == Seen(3, 0)
            assert pipeline.configure(LONG.format(after=0), plugins=["tc", "count", "closing"]).swap
            assert pair.dropped(lambda: one.sendto(b"x", to)) == {"policy_deny": 1}
            assert pipeline.configure(LONG.format(after=0), plugins=["tc", "count"]).swap
            assert pair.during(lambda: send(one, two, to, 5)) == Seen(4, 1)


def test_a_stage_may_want_every_packet_of_some_flows(new_ruled):
    """It says so in the packet; other flows are remembered."""
    with remembering(new_ruled, more=FLOW_ASKS, stage="shape") as pair:
        with talking(pair, 9002) as (one, two, to):
            send(one, two, to, 5)
            assert pair.kept(one) is None
        with talking(pair, 9001) as (one, two, to):
            assert pair.kept(one)
