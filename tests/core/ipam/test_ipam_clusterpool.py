# SPDX-License-Identifier: Apache-2.0
"""The mode cluster-pool: each node has its part of the cluster's networks."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from axoneme import PoolExhausted
from axoneme.ipam import ClusterPool
from axoneme.sources import CidrClaims

POOL4 = ClusterPool((ip_network("10.0.0.0/22"),), 24)
POOL6 = ClusterPool((ip_network("fd00::/104"),), 120)


@pytest.fixture
def claims(tmp_path):
    return CidrClaims(tmp_path)


def test_nodes_have_networks_of_their_own(claims):
    """Both families, and the same ones when a node starts again."""
    one = [pool.claim(claims, "one") for pool in (POOL4, POOL6)]
    two = [pool.claim(claims, "two") for pool in (POOL4, POOL6)]
    assert list(map(str, one)) == ["10.0.0.0/24", "fd00::/120"]
    assert list(map(str, two)) == ["10.0.1.0/24", "fd00::100/120"]
    assert [pool.claim(claims, "one") for pool in (POOL4, POOL6)] == one


def test_a_pool_without_a_part_left_is_named(claims):
    """The message has the pool, how many nodes it is for, the node, and what to do."""
    for number in range(4):
        POOL4.claim(claims, f"node-{number}")
    with pytest.raises(PoolExhausted, match=r"pool 10.0.0.0/22 of 4: .* late has none: give"):
        POOL4.claim(claims, "late")
    claims.release("node-2")
    assert str(POOL4.claim(claims, "late")) == "10.0.2.0/24"


def test_a_second_network_comes_after_the_first(claims):
    """A cluster that grew gets one more network."""
    pool = ClusterPool((ip_network("10.0.0.0/24"), ip_network("10.8.0.0/23")), 24)
    assert pool.size == 3
    parts = [str(pool.claim(claims, name)) for name in "abc"]
    assert parts == ["10.0.0.0/24", "10.8.0.0/24", "10.8.1.0/24"]


def test_a_node_keeps_its_network_when_the_pool_changes(claims):
    """Its pods have addresses of it."""
    before = POOL4.claim(claims, "one")
    other = ClusterPool((ip_network("10.128.0.0/16"),), 24)
    assert other.claim(claims, "one") == before


@pytest.mark.parametrize(
    ("networks", "mask_size", "text"),
    [
        ((), 24, "must have a network"),
        (("10.0.0.0/8", "fd00::/64"), 24, "all be IPv4 or all IPv6"),
        (("10.0.0.0/16",), 8, "must be 16 to 30, not 8"),
        (("10.0.0.0/16",), 31, "must be 16 to 30, not 31"),
        (("fd00::/104",), 127, "must be 104 to 126, not 127"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(networks, mask_size, text):
    """The sentence says what would do."""
    with pytest.raises(ValueError, match=text):
        ClusterPool(tuple(map(ip_network, networks)), mask_size)
