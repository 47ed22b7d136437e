# SPDX-License-Identifier: Apache-2.0
"""The operator's plan: who gets what, and what is wrong with pools and nodes."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from attrs import evolve
from plugins.ipam.tests.cluster import apply, network, networks, pool, record

from axoneme.model import (
    AddressRange,
    Assignment,
    IpamCluster,
    PoolDemand,
    PoolPart,
    PoolState,
    StrandedNetwork,
)
from axoneme_ipam.config import IpamConfig, Mode
from axoneme_ipam.plugin import axoneme_assign_networks

CLUSTER = IpamConfig(
    cluster_pool_ipv4_cidr=networks("10.0.0.0/16"), cluster_pool_ipv6_cidr=networks("fd00::/112")
)
MULTI = IpamConfig(Mode.MULTI_POOL)


def plan(*records, pools=(), config=MULTI):
    """The plan for a cluster."""
    cluster = IpamCluster(records, {one.name: one for one in pools})
    return axoneme_assign_networks(cluster, config)


def wanting(name, demand=6, pool="blue", *texts, ipv6=0):
    """A node that needs so many addresses of a pool, and has these networks of it."""
    parts = (PoolPart(pool, networks(*texts)),) if texts else ()
    return record(name, requested=(PoolDemand(pool, demand, ipv6),), allocated=parts)


def small(**more):
    """A pool of four parts with six addresses each."""
    return pool("blue", "10.1.0.0/27", mask=29, **more)


def test_a_node_of_a_cluster_pool_gets_a_part_of_each_family():
    """Before it says anything; more when it says that it needs more."""
    made = plan(record("b"), record("a"), config=CLUSTER)
    assert made.assignments == (
        Assignment("a", networks("10.0.0.0/24", "fd00::/120")),
        Assignment("b", networks("10.0.1.0/24", "fd00::100/120")),
    )
    assert (made.errors, made.problems) == ({}, ())
    more = record(
        "a", pod_cidrs=made.assignments[0].networks, requested=(PoolDemand("default", 255, 8),)
    )
    assert plan(more, config=CLUSTER).assignments == (Assignment("a", networks("10.0.1.0/24")),)


def test_a_cluster_pool_of_nothing_is_named():
    """An operator that is told nothing does nothing."""
    made = plan(record("a"), config=IpamConfig())
    assert made.assignments == ()
    assert "ipam.cluster-pool-ipv4-cidr" in made.problems[0]


def test_a_node_gets_parts_until_its_need_is_covered():
    """Of the pools that it needs, and of no other."""
    made = plan(
        wanting("a", 13), pools=[pool("blue", "10.1.0.0/16", mask=29), pool("green", "10.2.0.0/16")]
    )
    assert made.assignments == (
        Assignment("a", networks("10.1.0.0/29", "10.1.0.8/29", "10.1.0.16/29"), "blue"),
    )


def test_nodes_that_have_nothing_come_first_then_the_oldest():
    """A pool that runs dry has something for as many as can be."""
    rich = wanting("a", 60, "blue", "10.1.0.0/29")
    late, early = evolve(wanting("b"), created="2026"), evolve(wanting("c"), created="2025")
    made = plan(rich, late, early, pools=[small()])
    assert {one.node: one.networks for one in made.assignments} == {
        "c": networks("10.1.0.8/29"),
        "b": networks("10.1.0.16/29"),
        "a": networks("10.1.0.24/29"),
    }
    assert set(made.errors) == {"a"}


def test_an_exhausted_pool_is_said_to_the_node_and_to_people():
    """How many parts there are, who needs more, and what to do."""
    made = plan(*(wanting(name) for name in "abcdefghijkl"), pools=[small()])
    assert [one.node for one in made.assignments] == list("abcd")
    assert made.errors["e"] == (
        "pool blue has no IPv4 network for this node: all 4 are given: add networks to "
        "spec.ipv4.cidrs of CiliumPodIPPool blue, or remove nodes that are gone"
    )
    (problem,) = made.problems
    assert problem.startswith(
        "pool blue has no IPv4 networks for e, f, g, h, i and 3 more: all 4 are given: add"
    )
    assert made.pools == (PoolState("blue", 4, 4, 4),)


@pytest.mark.parametrize(("nodes", "said"), [(2, False), (3, True), (4, True)])
def test_a_pool_that_is_nearly_dry_is_named(nodes, said):
    """Before a node gets none: with fewer than two parts left."""
    made = plan(*(wanting(f"n{i}") for i in range(nodes)), pools=[small()])
    left = f"pool blue has {4 - nodes} of 4 IPv4 networks for nodes left: add networks to "
    assert [problem.startswith(left) for problem in made.problems] == [True] * said


def test_of_a_wide_pool_a_tenth_must_be_left():
    """Fewer is nearly dry as well."""
    wide = pool("blue", "10.1.0.0/24", mask=29)  # 32 parts
    assert not plan(*(wanting(f"n{i:02}") for i in range(28)), pools=[wide]).problems
    assert plan(*(wanting(f"n{i:02}") for i in range(29)), pools=[wide]).problems


def test_of_pools_that_overlap_the_later_gives_nothing_new():
    """Whoever has something of it keeps it; both are named with their networks."""
    pools = [pool("blue", "10.1.0.0/16"), pool("green", ("10.9.0.0/16", "10.1.4.0/22"))]
    old = wanting("a", 6, "green", "10.9.0.0/24")
    made = plan(old, wanting("b", 6, "green"), wanting("c"), pools=pools)
    assert [(one.node, one.pool) for one in made.assignments] == [("c", "blue")]
    text = "pools blue and green overlap, in 10.1.0.0/16 and 10.1.4.0/22: green gives nothing"
    assert made.problems[0].startswith(text)
    assert made.errors["b"].startswith(text)
    assert set(made.errors) == {"b"}
    assert {state.pool: state.given for state in made.pools} == {"blue": 1, "green": 1}


def test_a_part_is_not_given_where_a_node_has_something_of_it():
    """Whatever the mask was then, and in whatever pool or mode."""
    had = [
        record("a", pod_cidrs=networks("10.1.0.4/30")),
        record("b", allocated=(PoolPart("old", networks("10.1.0.8/29")),)),
        record("c", pool={ip_address("10.1.0.17"): ""}),
    ]
    made = plan(*had, wanting("z"), pools=[small()])
    assert made.assignments == (Assignment("z", networks("10.1.0.24/29"), "blue"),)


def test_a_network_that_is_wider_than_a_pool_takes_all_of_it():
    """Each of the pool's networks, in every pool."""
    wide = record("a", pod_cidrs=networks("10.0.0.0/8"))
    pools = [pool("blue", ("10.1.0.0/24", "10.2.0.0/24")), pool("green", "10.3.0.0/24")]
    made = plan(wide, wanting("b"), wanting("c", 6, "green"), pools=pools)
    assert made.assignments == ()
    assert set(made.errors) == {"b", "c"}


def test_two_nodes_that_claim_a_network_are_named():
    """Neither loses it, and nobody else gets it."""
    nodes = [
        wanting("a", 6, "blue", "10.1.0.0/29"),
        wanting("b", 2, "blue", "10.1.0.4/30"),
        wanting("c"),
    ]
    made = plan(*nodes, pools=[small()])
    assert made.assignments == (Assignment("c", networks("10.1.0.8/29"), "blue"),)
    assert made.problems[0] == (
        "nodes a and b both have 10.1.0.4/30, in the 10.1.0.0/29 of a: both keep it and nobody "
        "else gets it: drain one of the two, and remove the network from its resource"
    )


def test_what_nodes_have_of_a_smaller_or_removed_pool_is_named():
    """They keep it, and it covers their need."""
    nodes = [
        wanting("a", 6, "blue", "10.9.0.0/24"),
        wanting("b", 6, "blue", "10.1.0.0/29"),
        record("c", allocated=(PoolPart("gone", networks("10.8.0.0/24")),)),
    ]
    made = plan(*nodes, pools=[small()])
    assert made.assignments == ()
    assert made.problems == ()
    where = "any more (put it back into spec.ipv4.cidrs of CiliumPodIPPool"
    blue = f"does not have it {where} blue, or drain the node)"
    gone = f"is not there {where} gone, or drain the node)"
    assert made.stranded == (
        StrandedNetwork("a", *networks("10.9.0.0/24"), blue, "blue"),
        StrandedNetwork("c", *networks("10.8.0.0/24"), gone, "gone"),
    )


def test_networks_of_a_node_that_is_not_known_are_given_to_nobody():
    """Only its file's networks could be read."""
    cluster = IpamCluster(
        (wanting("a", 6, "blue"),), {"blue": small()}, networks("10.1.0.0/29", "10.7.0.0/24")
    )
    made = axoneme_assign_networks(cluster, MULTI)
    assert made.assignments == (Assignment("a", networks("10.1.0.8/29"), "blue"),)


def test_a_need_of_what_is_not_there_is_said_to_the_node():
    """The rest is given."""
    demands = (PoolDemand("blu", 6), PoolDemand("blue", 6, 6))
    made = plan(record("a", requested=demands), pools=[small()])
    assert made.errors == {
        "a": "there is no pool blu to take IPv4 addresses of; did you mean 'blue'?; pool blue has "
        "no IPv6 networks: add some to spec.ipv6.cidrs of CiliumPodIPPool blue"
    }
    assert [one.pool for one in made.assignments] == ["blue"]


def reserve(first, last):
    """A reserved range of IPv4."""
    return AddressRange(ip_address(first), ip_address(last))


@pytest.mark.parametrize(
    ("ranges", "parts", "first"),
    [
        ([], 4, "10.1.0.0/29"),
        ([reserve("10.1.0.0", "10.1.0.7")], 3, "10.1.0.8/29"),
        ([reserve("10.1.0.0", "10.1.0.6")], 3, "10.1.0.8/29"),  # only the broadcast address is left
        ([reserve("10.1.0.0", "10.1.0.5")], 4, "10.1.0.0/29"),
        ([reserve("10.1.0.3", "10.1.0.13")], 4, "10.1.0.0/29"),
        ([reserve("10.1.0.0", "10.1.0.4"), reserve("10.1.0.5", "10.1.0.15")], 2, "10.1.0.16/29"),
        ([reserve("10.0.0.0", "10.2.0.0")], 0, None),
    ],
)
def test_no_part_is_given_of_which_all_is_reserved(ranges, parts, first):
    """It counts as none."""
    made = plan(wanting("a", 1), pools=[small(reserved=ranges)])
    assert [state.parts for state in made.pools] == [parts]
    found = [str(one.networks[0]) for one in made.assignments]
    assert found == ([first] if first else [])


def test_reserved_addresses_do_not_cover_a_need():
    """A node gets more parts instead."""
    blue = small(reserved=[reserve("10.1.0.0", "10.1.0.4")])  # .5 and .6 are left
    made = plan(wanting("a", 6), pools=[blue])
    assert made.assignments[0].networks == networks("10.1.0.0/29", "10.1.0.8/29")
    assert plan(wanting("a", 8), pools=[small(allow_first=True, allow_last=True)]).assignments[
        0
    ].networks == networks("10.1.0.0/29")


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (
            pool("blue", ("10.1.0.0/30", "10.1.1.0/24"), mask=29),
            "10.1.0.0/30 has no parts of /29, and gives nothing: write 30 to 32 as spec.ipv4.mask",
        ),
        (
            pool("blue", ("10.1.1.0/24", "10.1.1.0/25"), mask=29),
            "10.1.1.0/25 is within another of its networks, and counts once: remove it",
        ),
    ],
)
def test_what_is_wrong_in_a_pool_is_named_and_the_rest_gives(bad, text):
    """One network that makes no sense takes no other with it."""
    made = plan(wanting("a"), pools=[bad])
    assert made.assignments == (Assignment("a", networks("10.1.1.0/29"), "blue"),)
    (problem,) = made.problems
    assert problem.startswith(f"pool blue: {text}")


def test_a_pool_may_be_wider_than_can_be_counted_through():
    """2^56 parts, of which two nodes have some, one of them a lot."""
    wide = pool("blue", v6="fd00::/64")
    nodes = [wanting("a", 0, ipv6=8), wanting("b", 0, "blue", "fd00::/72", ipv6=8)]
    made = plan(*nodes, pools=[wide])
    assert made.assignments == (Assignment("a", networks("fd00:0:0:0:100::/120"), "blue"),)
    assert made.pools == (PoolState("blue", 6, 1 << 56, (1 << 48) + 1),)


def test_a_node_that_asks_for_too_much_gets_it_bit_by_bit():
    """Nobody waits for it, and the next plan goes on."""
    greedy = wanting("a", 1 << 32)
    made = plan(greedy, wanting("b"), pools=[pool("blue", "10.0.0.0/8", mask=29)])
    assert [len(one.networks) for one in made.assignments] == [256, 1]
    again = plan(
        *apply([greedy], made.assignments[:1]), pools=[pool("blue", "10.0.0.0/8", mask=29)]
    )
    assert len(again.assignments[0].networks) == 256


def test_the_order_of_the_input_does_not_matter():
    """Two operators plan the same."""
    nodes = [wanting("a"), wanting("b", 13), wanting("c", 6, "blue", "10.1.0.0/29")]
    pools = [small(), pool("ash", "10.2.0.0/16")]
    assert plan(*nodes, pools=pools) == plan(*nodes[::-1], pools=pools[::-1])


def test_a_plan_that_was_applied_leaves_nothing_to_do():
    """And counts what it gave."""
    nodes = (wanting("a"), wanting("b", 13))
    first = plan(*nodes, pools=[pool("blue", "10.1.0.0/24", mask=29)])
    second = plan(*apply(nodes, first.assignments), pools=[pool("blue", "10.1.0.0/24", mask=29)])
    assert (second.assignments, second.pools) == ((), first.pools)
    assert network("10.1.0.0/29") in first.assignments[0].networks
