# SPDX-License-Identifier: Apache-2.0
"""Nodes in files, and what only one node can have."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest

from axoneme import PoolExhausted, StateError
from axoneme.model.node import NodeRecord
from axoneme.sources import EmbeddedSource

V4, V6 = ip_network("10.0.1.0/24"), ip_network("fd00:0:0:1::/64")
ONE = NodeRecord("one", (IPv4Address("172.31.0.1"), IPv6Address("fd00:172::1")), (V4, V6), 1)


def node(name, number, *cidrs):
    return NodeRecord(
        name, (IPv4Address(f"172.31.0.{number}"),), tuple(map(ip_network, cidrs)), number
    )


def test_a_node_comes_back_as_it_was_written(source):
    """Every field survives its file, which has the form of CiliumNode."""
    source.nodes.write(ONE)
    read = source.nodes.read()
    assert read.records == (ONE,)
    assert read.problems == ()
    assert read.get("one") == ONE
    resource = json.loads((source.nodes.directory / "one.json").read_bytes())
    assert resource["kind"] == "CiliumNode"
    assert resource["spec"]["ipam"]["podCIDRs"] == [str(V4), str(V6)]
    source.nodes.delete("one")
    assert source.nodes.read().records == ()


def test_two_nodes_with_one_network_are_named(source):
    """The message has both nodes and the network; the one that claimed it stays."""
    source.nodes.write(node("a", 1, "10.0.1.0/24"))
    source.nodes.write(node("b", 2, "10.0.1.0/24"))
    source.nodes.write(node("c", 3, "10.0.2.0/24"))
    read = source.nodes.read()
    assert [record.name for record in read.records] == ["a", "c"]
    (problem,) = read.problems
    assert "nodes a and b both have 10.0.1.0/24: b is left out" in str(problem)
    source.cidrs.claim(ip_network("10.0.1.0/24"), "b")
    source.cidrs.claim(ip_network("10.0.2.0/24"), "c")
    read = source.nodes.read()
    assert [record.name for record in read.records] == ["b", "c"]
    assert "nodes b and a both have 10.0.1.0/24: a is left out" in str(read.problems[0])


@pytest.mark.parametrize(
    ("first", "second"),
    [("10.0.0.0/16", "10.0.1.0/24"), ("10.0.1.0/24", "10.0.0.0/16"), ("fd00::/32", "fd00::/64")],
)
def test_networks_that_overlap_are_two_nodes_with_one(source, first, second):
    """A part of another node's network would be routed to one of them only."""
    source.nodes.write(node("a", 1, first))
    source.nodes.write(node("b", 2, second))
    read = source.nodes.read()
    assert [record.name for record in read.records] == ["a"]
    assert second in str(read.problems[0])


def test_an_address_is_one_node_s(source):
    """The second is named with the first, and left out."""
    source.nodes.write(node("a", 1))
    source.nodes.write(node("b", 1))
    read = source.nodes.read()
    assert [record.name for record in read.records] == ["a"]
    assert "nodes a and b both have 172.31.0.1" in str(read.problems[0])


@pytest.mark.parametrize(
    ("spec", "annotations", "text"),
    [
        ({}, {}, "InternalIP"),
        ({"addresses": [{"type": "InternalIP", "ip": "x"}]}, {}, "'x'"),
        ({"addresses": "x"}, {}, "$.spec.addresses"),
        (None, {"axoneme.dev/node-id": "many"}, "node-id"),
        ({"ipam": {"podCIDRs": ["10.0.0.1/24"]}}, {}, "10.0.0.1/24"),
        ({"ipam": {"podCIDRs": ["10.0.0.0/24", "10.0.0.0/16"]}}, {}, "twice"),
    ],
)
def test_a_wrong_node_is_named_and_disturbs_nothing(source, spec, annotations, text):
    """The file and what is wrong in it are in the problem."""
    source.nodes.write(ONE)
    good = [{"type": "InternalIP", "ip": "172.31.0.9"}]
    if spec is None or "ipam" in spec:
        spec = {"addresses": good, **(spec or {})}
    bad = {"metadata": {"name": "bad", "annotations": annotations}, "spec": spec}
    path = source.nodes.directory / "bad.json"
    path.write_text(json.dumps(bad))
    read = source.nodes.read()
    assert read.records == (ONE,)
    (problem,) = read.problems
    assert problem.file == str(path)
    assert text in problem.message


def test_a_network_is_claimed_once(source):
    """The second node hears which node has it; the first may ask again."""
    source.cidrs.claim(V4, "one")
    source.cidrs.claim(V4, "one")
    assert source.cidrs.of_node("one") == (V4,)
    with pytest.raises(StateError, match=r"node two cannot have 10.0.1.0/24: node one has claimed"):
        source.cidrs.claim(V4, "two")
    with pytest.raises(StateError, match=r"node two cannot have 10.0.0.0/16: .* 10.0.1.0/24"):
        source.cidrs.claim(ip_network("10.0.0.0/16"), "two")
    assert source.cidrs.of_node("two") == ()
    source.cidrs.release("one")
    source.cidrs.claim(V4, "two")
    assert source.cidrs.owner(V4) == "two"


def test_what_nobody_of_us_wrote_among_claims_is_nobody_s(source):
    """Garbage of a network's name keeps the network from all, and disturbs no other."""
    (source.state / "cidrs" / "10.0.1.0_24").write_text("garbage")
    (source.state / "cidrs" / "notes.txt").write_text("garbage")
    with pytest.raises(StateError, match="cannot have"):
        source.cidrs.claim(V4, "one")
    source.cidrs.claim(V6, "one")
    assert source.cidrs.of_node("one") == (V6,)


def test_a_node_keeps_its_number(source):
    """Another node has another, and a number that was released is given again."""
    assert [source.node_ids.claim(name) for name in ("a", "b", "a")] == [1, 2, 1]
    source.node_ids.release("a")
    assert source.node_ids.claim("c") == 1


def _hold(arguments):
    state, name = arguments
    return EmbeddedSource(state).nodes.hold(name)


def test_a_node_has_one_agent(source):
    """A second process of the same name hears so; when the first ends the name is free."""
    assert source.nodes.hold("one")
    assert source.nodes.hold("one")
    with ProcessPoolExecutor(1) as pool:
        assert list(pool.map(_hold, [(source.state, "one"), (source.state, "two")])) == [
            False,
            True,
        ]
    assert source.nodes.hold("two")
    assert not source.nodes.hold("../one")
    assert source.nodes.read().problems == ()


def _claim(arguments):
    state, name = arguments
    source = EmbeddedSource(state)
    parts = ip_network("10.0.0.0/20").subnets(new_prefix=24)
    try:
        network = source.cidrs.claim_any(parts, name, pool="10.0.0.0/20", size=16)
    except PoolExhausted:
        network = None
    return network, source.node_ids.claim(name)


def test_racing_agents_claim_different_networks_and_numbers(source):
    """Of 24 nodes that start at once 16 have a network, each its own, and all have a number."""
    names = [(source.state, f"node-{i}") for i in range(24)]
    with ProcessPoolExecutor(4) as pool:
        claimed = list(pool.map(_claim, names))
    networks = [network for network, _ in claimed if network is not None]
    assert len(networks) == len(set(networks)) == 16
    assert {number for _, number in claimed} == set(range(1, 25))


def _claim_mixed(arguments):
    state, name, prefix = arguments
    source = EmbeddedSource(state)
    parts = ip_network("10.0.0.0/20").subnets(new_prefix=prefix)
    try:
        return source.cidrs.claim_any(parts, name, pool="10.0.0.0/20", size=16)
    except PoolExhausted:
        return None


def test_racing_agents_with_masks_that_differ_claim_nothing_in_common(source):
    """While a configuration changes, nodes ask for networks of different sizes."""
    asked = [(source.state, f"node-{i}", 23 + i % 3) for i in range(12)]
    with ProcessPoolExecutor(4) as pool:
        networks = [n for n in pool.map(_claim_mixed, asked) if n is not None]
    assert networks
    assert not any(a.overlaps(b) for a in networks for b in networks if a is not b)
