# SPDX-License-Identifier: Apache-2.0
"""Plans put into nodes' resources: each network once, each node in one write."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from attrs import evolve

from axoneme.model import Assignment, AssignmentPlan, NodeIpam, NodeRecord, PoolPart
from axoneme.operator.assigning import Assigner, Order, orders
from axoneme.sources import EmbeddedSource

A, B, C = (ip_network(f"10.0.{n}.0/24") for n in range(3))
SIX = ip_network("fd00::/64")


@pytest.fixture
def source(tmp_path):
    """A state directory with two nodes that have nothing."""
    source = EmbeddedSource(tmp_path / "state")
    source.create()
    for number, name in enumerate(("one", "two"), 1):
        source.nodes.write(NodeRecord(name, (ip_address(f"172.30.0.{number}"),)))
    return source


def assigner(source):
    """What knows the networks as the source has them now."""
    records = source.nodes.read().records
    return Assigner(source.nodes, [(n, r.name) for r in records for n in r.networks])


def ipam(source, name):
    """What a node's resource says."""
    return source.nodes.read().get(name).ipam


def order(node, *networks, pool="", error=""):
    """Networks of one pool for one node."""
    return Order(node, (Assignment(node, networks, pool),), error)


def test_networks_and_error_are_one_write(source):
    """PodCIDRs, parts of pools, and why there is no more."""
    wanted = (Assignment("one", (A, SIX)), Assignment("one", (B,), "blue"))
    assert assigner(source).carry_out(Order("one", wanted, "blue is empty")) == []
    assert ipam(source, "one") == NodeIpam(
        pod_cidrs=(A, SIX), allocated=(PoolPart("blue", (B,)),), error="blue is empty"
    )
    assert assigner(source).carry_out(Order("one", (), "")) == []
    assert ipam(source, "one").error == ""


def test_more_of_a_pool_is_added_to_what_a_node_has(source):
    """Behind what is there, and other pools' parts stay."""
    for network, pool in ((A, "blue"), (B, "red"), (C, "blue")):
        assert assigner(source).carry_out(order("one", network, pool=pool)) == []
    assert ipam(source, "one").part("blue") == (A, C)
    assert ipam(source, "one").part("red") == (B,)


def test_what_a_node_has_already_is_no_change(source):
    """As when another operator has done it before it ended."""
    assigner(source).carry_out(order("one", A))
    before = (source.nodes.directory / "one.json").stat()
    assert assigner(source).carry_out(order("one", A)) == []
    assert (source.nodes.directory / "one.json").stat() == before


@pytest.mark.parametrize("network", [A, ip_network("10.0.0.128/25"), ip_network("10.0.0.0/16")])
def test_a_network_of_another_node_is_refused(source, network):
    """All of it or a part; the rest of the order is carried out."""
    assigner(source).carry_out(order("one", A))
    (refused,) = assigner(source).carry_out(order("two", network, SIX))
    assert refused == f"node two cannot get {network}: one has {A}"
    assert ipam(source, "two").pod_cidrs == (SIX,)


def test_a_plan_that_gives_a_network_twice(source):
    """The first node gets it."""
    one = assigner(source)
    assert one.carry_out(order("one", A)) == []
    assert one.carry_out(order("two", A)) == [f"node two cannot get {A}: one has {A}"]
    assert ipam(source, "two") == NodeIpam()


def test_a_part_of_what_the_node_has_is_refused(source):
    """Its resource would be wrong with both."""
    assigner(source).carry_out(order("one", A))
    part = ip_network("10.0.0.0/25")
    (refused,) = assigner(source).carry_out(order("one", part, pool="blue"))
    assert refused == f"node one cannot get {part}: it has {A}"


def test_what_the_agent_wrote_meanwhile_stays(source):
    """The write is made of the node as it is, and not as it was when it was planned for."""
    stale = assigner(source)

    def use(record):
        used = {ip_address("10.0.9.1"): "shop/web"}
        return evolve(record, ipam=evolve(record.ipam, used=used), agent="/run/agent.sock")

    source.nodes.update("one", use)
    stale.carry_out(order("one", A))
    record = source.nodes.read().get("one")
    assert record.agent == "/run/agent.sock"
    assert dict(record.ipam.used) == {ip_address("10.0.9.1"): "shop/web"}
    assert record.ipam.pod_cidrs == (A,)


def test_a_node_that_has_gone_is_passed_over(source):
    """It does not come back by a write."""
    source.nodes.delete("one")
    assert assigner(source).carry_out(order("one", A)) == []
    assert [r.name for r in source.nodes.read().records] == ["two"]


def test_orders_are_what_nodes_do_not_say_yet(source):
    """One for each node that gets something, or whose error is another."""
    source.nodes.update("two", lambda r: evolve(r, ipam=evolve(r.ipam, error="old")))
    nodes = source.nodes.read().records
    plan = AssignmentPlan((Assignment("one", (A,)), Assignment("one", (B,), "blue")))
    first, second = orders(plan, nodes)
    assert (first.node, len(first.assignments), first.error) == ("one", 2, "")
    assert second == Order("two", (), "")
    assert list(orders(AssignmentPlan(errors={"two": "old"}), nodes)) == []
