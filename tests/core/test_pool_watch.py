# SPDX-License-Identifier: Apache-2.0
"""Pools that run dry: told of before they have, once, and not again before they were well."""

from __future__ import annotations

import logging
from ipaddress import ip_network

import pytest

from axoneme.agent.pool_watch import PoolWatch
from axoneme.model import AddressPool, AddressUsage, NetworkUsage, NodeIpam, PoolDemand

NETWORK = ip_network("10.1.0.0/24")
FIXED = (AddressPool(networks=[NETWORK]),)
GROWING = (AddressPool(networks=[NETWORK], grows=True),)
NOTHING = NodeIpam()


class Clock:
    """Seconds that tests let pass."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(clock, caplog):
    caplog.set_level(logging.INFO)
    return PoolWatch(clock)


def usage(used, resting=0, size=100):
    """So many addresses of one network."""
    return AddressUsage((NetworkUsage("default", NETWORK, used, resting, size - used - resting),))


def test_a_pool_is_told_of_at_nine_tenths_and_until_it_is_at_eight(watch, caplog):
    """Resting addresses count, since nobody gets them. The log has a line for each change."""
    looks = [(89, 0), (60, 30), (91, 0), (85, 0), (79, 0), (89, 0), (100, 0)]
    found = [bool(watch.look(FIXED, usage(*look), NOTHING)) for look in looks]
    assert found == [False, True, True, True, False, False, True]
    assert caplog.messages == [
        "pool default runs dry: 60 of 100 IPv4 addresses are in use, 30 rest",
        "pool default has free IPv4 addresses again",
        "pool default runs dry: 100 of 100 IPv4 addresses are in use",
    ]


def test_a_pool_that_grows_is_told_of_when_it_does_not(watch, clock, caplog):
    """As long as the node gets what it asks for, or may still get it, all is well."""
    enough = NodeIpam(requested=[PoolDemand("default", ipv4=100)])
    more = NodeIpam(requested=[PoolDemand("default", ipv4=103)])
    assert watch.look(GROWING, usage(95), enough) == []
    clock.now = 60
    assert watch.look(GROWING, usage(95), more) == []
    clock.now = 64
    assert watch.look(GROWING, usage(95), more) == []
    clock.now = 66
    (crowded,) = watch.look(GROWING, usage(95), more)
    assert (crowded.pool, crowded.version, crowded.size) == ("default", 4, 100)
    assert watch.look(GROWING, usage(95, size=200), more) == []
    assert len(caplog.messages) == 2


def test_a_pool_of_which_the_node_asks_nothing_may_have_nothing(watch, clock):
    """It is of pods that are elsewhere; one that is asked for, and has nothing, is dry."""
    pools = (AddressPool("blue", grows=True),)
    asked = NodeIpam(requested=[PoolDemand("blue", ipv6=8)])
    for clock.now in (0, 60):
        assert watch.look(pools, AddressUsage(), NOTHING) == []
    for clock.now in (60, 120):
        found = watch.look(pools, AddressUsage(), asked)
    assert [(one.pool, one.version, one.size) for one in found] == [("blue", 6, 0)]


def test_single_addresses_are_counted_together(watch):
    """A controller may give a node addresses one by one: each is all of its network."""
    singles = [ip_network(f"10.1.0.{last}") for last in range(1, 11)]
    half = [1] * 5 + [0] * 5
    networks = [
        NetworkUsage("default", one, used, 0, 1 - used)
        for one, used in zip(singles, half, strict=True)
    ]
    usage = AddressUsage(tuple(networks))
    assert watch.look((AddressPool(networks=singles),), usage, NOTHING) == []
