# SPDX-License-Identifier: Apache-2.0
"""Addresses of pods: one owner each, the same after a restart, and never reused at once."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axoneme import PoolExhausted
from axoneme.ipam import AddressPool, NodeAddresses

V4, V6 = ip_network("10.0.1.0/24"), ip_network("fd00:0:0:1::/64")
SMALL = ip_network("10.0.1.0/29")  # .2 to .6 are for pods


def test_an_owner_has_one_address_of_each_family():
    """Asked again it has the same; the first addresses are kept for network and node."""
    addresses = NodeAddresses((V6, V4))
    first = addresses.allocate("a/eth0")
    assert first == (ip_address("10.0.1.2"), ip_address("fd00:0:0:1::2"))
    assert addresses.allocate("a/eth0") == first
    assert addresses.allocate("b/eth0") == (ip_address("10.0.1.3"), ip_address("fd00:0:0:1::3"))
    assert addresses.node_addresses == (ip_address("10.0.1.1"), ip_address("fd00:0:0:1::1"))
    assert addresses.problem() == ""


def test_an_address_is_not_reused_at_once():
    """First come those that nobody had, then the one that was given back the longest ago."""
    pool = AddressPool(SMALL)
    a, b = pool.take("a"), pool.take("b")
    pool.release(b)
    pool.release(a)
    fresh = [pool.take(str(i)) for i in range(3)]
    assert not {a, b} & set(fresh)
    assert [pool.take("c"), pool.take("d")] == [b, a]


def test_a_pool_that_ran_dry_is_named():
    """The message has the pool, its size and what to do; nothing is half allocated."""
    addresses = NodeAddresses((SMALL, V6))
    for number in range(5):
        addresses.allocate(str(number))
    assert "10.0.1.0/29" in addresses.problem()
    with pytest.raises(PoolExhausted, match=r"pool 10.0.1.0/29 of 5: .*remove pods") as caught:
        addresses.allocate("one too many")
    assert (caught.value.pool, caught.value.size) == ("10.0.1.0/29", 5)
    assert "one too many" not in addresses.owners
    assert [pool.used for pool in addresses.pools] == [5, 5]
    addresses.release("3")
    assert addresses.problem() == ""
    assert addresses.allocate("another")[0] == ip_address("10.0.1.5")


def test_a_second_pool_that_ran_dry_takes_nothing_from_the_first():
    """An address of one family only would be a pod that is half there."""
    addresses = NodeAddresses((V4, ip_network("fd00::/126")))
    addresses.allocate("a")
    with pytest.raises(PoolExhausted, match="fd00::/126"):
        addresses.allocate("b")
    assert [pool.used for pool in addresses.pools] == [1, 1]


def test_release_is_for_whoever_has_addresses():
    """Releasing twice, or for a stranger, does nothing."""
    addresses = NodeAddresses((V4,))
    addresses.allocate("a")
    for owner in ("stranger", "a", "a"):
        addresses.release(owner)
    assert addresses.pools[0].used == 0


def test_a_restart_changes_no_owner():
    """What the endpoints have is theirs, and the next addresses are behind the highest."""
    before = NodeAddresses((V4, V6))
    for name in "abc":
        before.allocate(name)
    before.release("b")
    after = NodeAddresses((V4, V6))
    assert after.restore(before.owners) == []
    assert after.allocate("a") == before.owners["a"]
    assert after.allocate("d") == (ip_address("10.0.1.5"), ip_address("fd00:0:0:1::5"))


def test_what_is_wrong_with_owners_is_named():
    """Of two with one address the first keeps it; a stranger's address stays with its pod."""
    addresses = NodeAddresses((V4,))
    one, far = ip_address("10.0.1.2"), ip_address("10.9.9.9")
    problems = addresses.restore({"a": [one], "b": [one], "c": [far]})
    assert problems == [
        "b and a both have 10.0.1.2",
        "c has 10.9.9.9, which is of no network of this node",
    ]
    assert addresses.allocate("c") == (far,)
    addresses.release("b")
    assert addresses.pools[0].used == 1


def test_the_highest_address_of_a_wide_network_costs_nothing():
    """A /64 has more addresses than anyone can look at."""
    addresses = NodeAddresses((V6,))
    addresses.restore({"a": [V6[-2]]})
    assert addresses.allocate("b") == (V6[2],)


def test_a_node_without_a_network_says_so():
    """No pod can be made there, and the reason is in words."""
    assert NodeAddresses(()).problem() == "this node has no network for its pods"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=60))
def test_no_two_owners_ever_have_one_address(steps):
    """Whatever is taken and given back, owners are apart and addresses are of the network."""
    addresses = NodeAddresses((SMALL,))
    for take, number in steps:
        if not take:
            addresses.release(str(number))
            continue
        try:
            addresses.allocate(str(number))
        except PoolExhausted:
            assert len(addresses.owners) == 5
    held = [address for owned in addresses.owners.values() for address in owned]
    assert len(held) == len(set(held)) == addresses.pools[0].used
    assert all(addresses.pools[0].holds(address) for address in held)


def test_a_node_without_networks_says_nothing_of_addresses_that_others_gave():
    """It is said of each pod otherwise, at every start."""
    addresses = NodeAddresses([])
    assert addresses.restore({"a": [ip_address("10.9.0.1")]}) == []
    assert addresses.owners == {"a": (ip_address("10.9.0.1"),)}
