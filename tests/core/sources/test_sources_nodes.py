# SPDX-License-Identifier: Apache-2.0
"""Nodes in files, and what only one node can have."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from attrs import evolve

from axoneme.model import NodeIpam, NodeRecord, PoolDemand, PoolPart
from axoneme.sources import EmbeddedSource

V4, V6 = ip_network("10.0.1.0/24"), ip_network("fd00:0:0:1::/64")
THEN = "2026-01-02T03:04:05Z"
ONE = NodeRecord(
    "one",
    (IPv4Address("172.31.0.1"), IPv6Address("fd00:172::1")),
    NodeIpam((V4, V6)),
    1,
    created=THEN,
)


def node(name, number, *cidrs):
    return NodeRecord(
        name, (IPv4Address(f"172.31.0.{number}"),), NodeIpam(tuple(map(ip_network, cidrs))), number
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
    """The message has both nodes and the network; the one that is older stays."""
    source.nodes.write(node("a", 1, "10.0.1.0/24"))
    source.nodes.write(node("b", 2, "10.0.1.0/24"))
    source.nodes.write(node("c", 3, "10.0.2.0/24"))
    read = source.nodes.read()
    assert [record.name for record in read.records] == ["a", "c"]
    (problem,) = read.problems
    assert "nodes a and b both have 10.0.1.0/24: b is left out" in str(problem)
    source.nodes.write(evolve(node("b", 2, "10.0.1.0/24"), created=THEN))
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
    return EmbeddedSource(state).node_ids.claim(name)


def test_racing_agents_claim_different_numbers(source):
    """Of 24 nodes that start at once all have a number of their own."""
    names = [(source.state, f"node-{i}") for i in range(24)]
    with ProcessPoolExecutor(4) as pool:
        assert set(pool.map(_claim, names)) == set(range(1, 25))


def test_what_a_resource_says_of_addresses_comes_back(source):
    """In the fields of CiliumNode: those that the operator fills, and those of the node."""
    ipam = NodeIpam(
        pod_cidrs=(V4,),
        pool={ip_address("10.9.0.7"): "", ip_address("fd09::7"): "eni-1"},
        requested=(PoolDemand("blue", 16, 8),),
        allocated=(PoolPart("blue", (ip_network("10.8.0.0/27"), ip_network("fd08::/120"))),),
        used={ip_address("10.9.0.7"): "shop/web"},
        error="the pool blue is empty",
    )
    source.nodes.write(evolve(ONE, ipam=ipam))
    assert source.nodes.read().get("one").ipam == ipam
    resource = json.loads((source.nodes.directory / "one.json").read_bytes())
    told = resource["spec"]["ipam"]
    assert told["pools"]["requested"] == [
        {"pool": "blue", "needed": {"ipv4-addrs": 16, "ipv6-addrs": 8}}
    ]
    assert told["pools"]["allocated"] == [{"pool": "blue", "cidrs": ["10.8.0.0/27", "fd08::/120"]}]
    assert told["ipv6-pool"] == {"fd09::7": {"owner": "eni-1"}}
    status = resource["status"]["ipam"]
    assert status["used"] == {"10.9.0.7": {"owner": "shop/web"}}
    assert status["operator-status"] == {"error": "the pool blue is empty"}


def test_every_network_of_a_node_leads_to_it():
    """Its podCIDRs, its parts of pools, and single addresses, joined where they can be."""
    singles = [ip_address("10.9.0.0"), ip_address("10.9.0.1"), ip_address("fd09::7")]
    ipam = NodeIpam(
        pod_cidrs=(V4,),
        pool=dict.fromkeys(singles, ""),
        allocated=(PoolPart("blue", (ip_network("10.8.0.0/27"),)),),
    )
    assert NodeRecord("one", (), ipam).networks == (
        V4,
        ip_network("10.8.0.0/27"),
        ip_network("10.9.0.0/31"),
        ip_network("fd09::7/128"),
    )


def _grow(arguments):
    state, number = arguments
    added = ip_network(f"10.0.{number}.0/24")

    def change(record):
        return evolve(record, ipam=evolve(record.ipam, pod_cidrs=(*record.ipam.pod_cidrs, added)))

    return EmbeddedSource(state).nodes.update("one", change) is not None


def test_racing_writers_lose_nothing_of_each_other(source):
    """Each changes the node as it is at that moment."""
    source.nodes.write(evolve(ONE, ipam=NodeIpam()))
    with ProcessPoolExecutor(4) as pool:
        assert all(pool.map(_grow, [(source.state, number) for number in range(24)]))
    (record,) = source.nodes.read().records
    assert set(record.networks) == {ip_network(f"10.0.{number}.0/24") for number in range(24)}
    assert record.created == THEN


def test_a_node_that_is_not_there_is_not_updated(source):
    """Nobody makes it by the way; nor is a wrong one replaced."""
    assert source.nodes.update("nobody", lambda record: record) is None
    (source.nodes.directory / "bad.json").write_text("{")
    assert source.nodes.update("bad", lambda record: record) is None
    assert source.nodes.update("../one", lambda record: record) is None


def _come_and_go(arguments):
    state, number = arguments
    nodes = EmbeddedSource(state).nodes
    for turn in range(40):
        if (turn + number) % 2:
            nodes.write(evolve(ONE, id=number))
        else:
            nodes.delete("one")
    return number


def test_a_node_that_goes_leaves_no_file(source):
    """Not the one that its writers lock, either, however many of them there are at once."""
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_come_and_go, [(source.state, number) for number in range(1, 9)]))
    source.nodes.delete("one")
    assert [path.name for path in source.nodes.directory.iterdir()] == []
