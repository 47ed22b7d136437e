# SPDX-License-Identifier: Apache-2.0
"""Plans over random histories: no network twice, none leaked, and whoever can be served is.

The model keeps nothing but the nodes' resources, as the operator does. Nodes come and go, need
more and less, give back; pools grow and shrink; an operator ends in the middle of its writes.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from plugins.ipam.tests.cluster import apply, network, networks, pool, record

from axoneme.model import IpamCluster, PoolDemand, PoolPart
from axoneme_ipam.config import IpamConfig, Mode
from axoneme_ipam.plugin import axoneme_assign_networks

if TYPE_CHECKING:
    from unittest import TestCase

MULTI = IpamConfig(Mode.MULTI_POOL)
#: What a pool may have: parts have six addresses of IPv4, and 14 of IPv6.
BLOCKS = {
    "ash": (["10.1.0.0/28", "10.1.1.0/29"], ["fd00:1::/123", "fd00:1::100/124"]),
    "elm": (["10.2.0.0/27", "10.2.1.0/28"], []),
    "oak": (["10.2.0.0/28", "10.3.0.0/29"], ["fd00:3::/124"]),  # its first IPv4 network is elm's
}
NAMES = sorted(BLOCKS)


def size(one):
    """How many addresses of a network pods can have."""
    return one.num_addresses - 2


class Operator(RuleBasedStateMachine):
    """Nodes, pools, and an operator that knows nothing but their resources."""

    def __init__(self):
        super().__init__()
        self.nodes = {}
        self.widths = dict.fromkeys(NAMES, (1, 1))
        self.stable = True

    @property
    def pools(self):
        made = {}
        for name, (four, six) in self.widths.items():
            v4, v6 = BLOCKS[name][0][:four], BLOCKS[name][1][:six]
            if v4 or v6:
                made[name] = pool(name, v4, v6, mask=29, mask6=124)
        return made

    def plan(self):
        return axoneme_assign_networks(IpamCluster(tuple(self.nodes.values()), self.pools), MULTI)

    @rule(name=st.sampled_from("abcdef"))
    def node_comes(self, name):
        self.nodes.setdefault(name, record(name))

    @precondition(lambda self: self.nodes)
    @rule(data=st.data())
    def node_goes(self, data):
        del self.nodes[data.draw(st.sampled_from(sorted(self.nodes)))]

    @precondition(lambda self: self.nodes)
    @rule(
        data=st.data(), name=st.sampled_from(NAMES), four=st.integers(0, 14), six=st.integers(0, 20)
    )
    def need_changes(self, data, name, four, six):
        one = self.nodes[data.draw(st.sampled_from(sorted(self.nodes)))]
        others = tuple(d for d in one.ipam.requested if d.pool != name)
        self.change(one, requested=(*others, PoolDemand(name, four, six)))

    @precondition(lambda self: any(one.networks for one in self.nodes.values()))
    @rule(data=st.data())
    def node_gives_back(self, data):
        owners = sorted(name for name, one in self.nodes.items() if one.networks)
        one = self.nodes[data.draw(st.sampled_from(owners))]
        back = data.draw(st.sampled_from(one.networks))
        left = (
            PoolPart(part.pool, tuple(n for n in part.networks if n != back))
            for part in one.ipam.allocated
        )
        self.change(one, allocated=tuple(part for part in left if part.networks))

    @rule(name=st.sampled_from(NAMES), four=st.integers(0, 2), six=st.integers(0, 2))
    def pool_changes(self, name, four, six):
        self.widths[name] = four, six

    @rule(data=st.data())
    def operator_ends_in_the_middle(self, data):
        made = self.plan().assignments
        written = data.draw(st.integers(0, len(made)))
        self.write(made[:written])

    @rule()
    def operator_runs(self):
        made = self.plan()
        self.write(made.assignments)
        self.check_all_are_served(made)

    def change(self, one, **ipam):
        self.nodes[one.name] = evolve(one, ipam=evolve(one.ipam, **ipam))

    def write(self, assignments):
        self.nodes = {one.name: one for one in apply(self.nodes.values(), assignments)}

    def check_all_are_served(self, made):
        """A need that is not covered has an error, and its pool nothing that nobody has."""
        again = self.plan()
        assert not again.assignments
        assert again.pools == made.pools
        for name, one in self.nodes.items():
            for demand in one.ipam.requested:
                for version in (4, 6):
                    own = [n for n in one.ipam.part(demand.pool) if n.version == version]
                    if sum(map(size, own)) < demand.of(version):
                        assert demand.pool in made.errors[name]
                        assert not self.free(demand.pool, version)

    def free(self, name, version):
        """Parts of a pool that no node has: none of a pool that is missing or overlaps."""
        family = self.pools[name].family(version) if name in self.pools else None
        elm_is_first = name == "oak" and self.widths["oak"][0] and self.widths["elm"][0]
        if family is None or elm_is_first:
            return []
        had = [n for one in self.nodes.values() for n in one.networks if n.version == version]
        return [
            part
            for wide in family.networks
            for part in wide.subnets(new_prefix=family.mask_size)
            if not any(part.overlaps(n) for n in had)
        ]

    @invariant()
    def no_network_twice(self):
        had = [(name, n) for name, one in self.nodes.items() for n in one.networks]
        for (_, first), (_, second) in combinations(had, 2):
            assert not first.overlaps(second)

    @invariant()
    def the_count_is_right(self):
        for state in self.plan().pools:
            assert 0 <= state.given <= state.parts


Operator.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOperator: type[TestCase] = Operator.TestCase


def test_what_nobody_has_is_given_again():
    """A pool of which everything was given and given back serves as many nodes again."""
    blue = pool("blue", "10.1.0.0/26", mask=29)
    for round_ in range(3):
        names = [f"n{round_}{i}" for i in range(8)]
        nodes = [record(name, requested=(PoolDemand("blue", 6),)) for name in names]
        made = axoneme_assign_networks(IpamCluster(tuple(nodes), {"blue": blue}), MULTI)
        given = [n for one in made.assignments for n in one.networks]
        assert sorted(given) == list(network("10.1.0.0/26").subnets(new_prefix=29))
        assert not made.errors


def test_networks_are_whole_parts():
    """Aligned to their mask, whatever is taken beside them."""
    blue = pool("blue", "10.1.0.0/24", mask=28)
    odd = record("a", allocated=(PoolPart("blue", networks("10.1.0.8/30")),))
    wants = record("b", requested=(PoolDemand("blue", 30),))
    made = axoneme_assign_networks(IpamCluster((odd, wants), {"blue": blue}), MULTI)
    assert made.assignments[0].networks == networks("10.1.0.16/28", "10.1.0.32/28", "10.1.0.48/28")
