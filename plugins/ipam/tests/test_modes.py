# SPDX-License-Identifier: Apache-2.0
"""What a node may give, needs and gives back, by mode."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from plugins.ipam.tests.cluster import AddressPool, networks, node, pool, usage

from axoneme.model import (
    AddressRange,
    AddressRequest,
    IpamCluster,
    PoolDemand,
    PoolPart,
)
from axoneme_ipam.config import IpamConfig, Mode
from axoneme_ipam.plugin import (
    axoneme_address_pools,
    axoneme_assign_networks,
    axoneme_choose_pools,
    axoneme_node_ipam,
)

KUBERNETES = IpamConfig(Mode.KUBERNETES)
CRD = IpamConfig(Mode.CRD)
MULTI = IpamConfig(Mode.MULTI_POOL)
CLUSTER = IpamConfig(
    cluster_pool_ipv4_cidr=networks("10.0.0.0/16"), cluster_pool_ipv6_cidr=networks("fd00::/104")
)
ONE, TWO, SIX = networks("10.0.1.0/24", "10.0.2.0/24", "fd00::100/120")


@pytest.mark.parametrize(
    ("seen", "config", "wanted"),
    [
        (node(["10.0.1.0/24"]), KUBERNETES, [AddressPool(networks=[ONE])]),
        (node(), KUBERNETES, [AddressPool(grows=True)]),
        (node(pod_cidrs=(ONE,)), KUBERNETES, [AddressPool(networks=[ONE])]),
        (node(), CLUSTER, [AddressPool(versions=(4, 6), grows=True)]),
        (
            node(pod_cidrs=(ONE, SIX)),
            CLUSTER,
            [AddressPool(networks=(ONE, SIX), versions=(4, 6), grows=True)],
        ),
        (
            node(pod_cidrs=(ONE,)),
            IpamConfig(),
            [AddressPool(networks=[ONE], versions=(4,), grows=True)],
        ),
        (
            node(pool={ip_address("10.0.1.9"): "", ip_address("10.0.1.2"): "eni"}),
            CRD,
            [AddressPool(networks=networks("10.0.1.2/32", "10.0.1.9/32"), grows=True)],
        ),
        (
            node(
                pools=[pool("blue", "10.0.0.0/16", allow_first=True), pool("ash", v6="fd00::/64")],
                allocated=(PoolPart("gone", (TWO,)), PoolPart("blue", (ONE,))),
            ),
            MULTI,
            [
                AddressPool("ash", versions=(6,), grows=True),
                AddressPool("blue", (ONE,), (4,), allow_first=True, grows=True),
                AddressPool("gone", (TWO,)),
            ],
        ),
    ],
)
def test_a_node_gives_what_its_mode_says(seen, config, wanted):
    """From the resource, Kubernetes, or the pools."""
    assert axoneme_address_pools(seen, config) == wanted


def test_reserved_ranges_reach_the_node():
    """Those of both families."""
    four = AddressRange(ip_address("10.0.1.0"), ip_address("10.0.1.9"))
    six = AddressRange(ip_address("fd00::"), ip_address("fd00::9"))
    blue = pool("blue", "10.0.0.0/16", "fd00::/64", reserved=[four], reserved6=[six])
    (found,) = axoneme_address_pools(node(pools=[blue]), MULTI)
    assert found.reserved == (four, six)


@pytest.mark.parametrize(
    ("used", "waiting", "ahead", "needed"),
    [(0, 0, 8, 8), (1, 0, 8, 16), (8, 0, 8, 16), (9, 0, 8, 24), (0, 1, 8, 16), (5, 2, 0, 7)],
)
def test_a_node_needs_some_addresses_ahead(used, waiting, ahead, needed):
    """Rounded up, so that its resource does not change with every pod."""
    config = IpamConfig(cluster_pool_ipv4_cidr=networks("10.0.0.0/16"), pre_allocate=ahead)
    waiters = [PoolDemand("default", waiting, 0)]
    given = usage(("default", str(ONE), used, 0, 254 - used), waiting=waiters)
    told = axoneme_node_ipam(node(pod_cidrs=(ONE,)), given, config)
    assert told.requested == (PoolDemand("default", needed, 0),)


def test_resting_addresses_count():
    """Nobody else can have them yet."""
    given = usage(("default", str(ONE), 4, 5, 245))
    assert axoneme_node_ipam(node(pod_cidrs=(ONE,)), given, CLUSTER).demand("default").ipv4 == 24


ROWS = {1: "10.0.1.0/28", 2: "10.0.1.16/28", 3: "10.0.1.32/28"}


@pytest.mark.parametrize(
    ("used", "kept"),
    [
        ({1: 3, 2: 0, 3: 0}, [1, 2, 3]),  # 16 needed, and 14 to spare: 42 are just enough
        ({1: 0, 2: 0, 3: 0}, [1, 2]),
        ({1: 0, 2: 0, 3: 1}, [1, 2, 3]),
        ({1: 0, 2: 0}, [1, 2]),
        ({1: 0}, [1]),
        ({}, [1, 2, 3]),  # the node's books do not know them yet
    ],
)
def test_a_node_gives_back_what_is_empty_and_not_needed(used, kept):
    """The newest first, and never what it would need again soon."""
    known = networks(*(ROWS[n] for n in used or ROWS))
    given = usage(*(("default", ROWS[n], count, 0, 14 - count) for n, count in used.items()))
    told = axoneme_node_ipam(node(pod_cidrs=known), given, CLUSTER)
    assert told.pod_cidrs == networks(*(ROWS[n] for n in kept))


def test_what_the_pool_does_not_have_any_more_is_given_back_first():
    """And what rests is not empty."""
    stray = "172.16.0.0/28"
    cidrs = networks(stray, ROWS[1], ROWS[2])
    rows = [("default", text, 0, 0, 14) for text in (stray, ROWS[1], ROWS[2])]
    told = axoneme_node_ipam(node(pod_cidrs=cidrs), usage(*rows), CLUSTER)
    assert told.pod_cidrs == cidrs[1:]
    rows[0] = ("default", stray, 0, 1, 13)
    told = axoneme_node_ipam(node(pod_cidrs=cidrs), usage(*rows), CLUSTER)
    assert told.pod_cidrs == cidrs


BLUE, GREEN = pool("blue", "10.1.0.0/16", "fd00:1::/64", mask=28), pool("green", "10.2.0.0/16")


def test_another_pool_than_the_default_is_needed_while_it_is_in_use():
    """Nothing of it is had ahead before a pod comes, unless the configuration says so."""
    seen = node(pools=[BLUE, GREEN, pool("default", "10.3.0.0/16")])
    assert axoneme_node_ipam(seen, usage(), MULTI).requested == (PoolDemand("default", 8, 0),)
    waited = usage(waiting=[PoolDemand("blue", 1, 1)])
    assert axoneme_node_ipam(seen, waited, MULTI).demand("blue") == PoolDemand("blue", 16, 16)
    config = IpamConfig(Mode.MULTI_POOL, multi_pool_pre_allocation={"green": 4, "default": 0})
    assert axoneme_node_ipam(seen, usage(), config).requested == (PoolDemand("green", 4, 0),)


def test_a_pool_that_nobody_uses_any_more_is_given_back_whole():
    """One that is gone too, but for what pods have."""
    parts = (PoolPart("blue", networks("10.1.0.0/28")), PoolPart("gone", (ONE, TWO)))
    seen = node(pools=[BLUE], allocated=parts)
    empty = ("blue", "10.1.0.0/28", 0, 0, 14)
    busy = ("gone", str(TWO), 1, 0, 253)
    told = axoneme_node_ipam(seen, usage(empty, busy, ("gone", str(ONE), 0, 0, 254)), MULTI)
    assert told.allocated == (PoolPart("gone", (TWO,)),)
    told = axoneme_node_ipam(seen, usage(("blue", "10.1.0.0/28", 1, 0, 13)), MULTI)
    assert told.allocated == (parts[0],)


def test_kubernetes_tells_its_cidrs_and_keeps_those_of_before_while_pods_have_them():
    """Other nodes route by the resource."""
    seen = node(["10.0.2.0/24"], pod_cidrs=(ONE,), requested=(PoolDemand("default", 8, 0),))
    told = axoneme_node_ipam(seen, usage(used=["10.0.1.7"]), KUBERNETES)
    assert (told.pod_cidrs, told.requested) == ((TWO, ONE), ())
    assert axoneme_node_ipam(seen, usage(), KUBERNETES).pod_cidrs == (TWO,)


def test_crd_writes_back_what_is_in_use():
    """For the controller, which alone changes what there is."""
    addresses = {ip_address("10.0.1.2"): "eni-1", ip_address("10.0.1.3"): "eni-1"}
    told = axoneme_node_ipam(node(pool=addresses), usage(used=["10.0.1.3"]), CRD)
    assert told.pool == addresses
    assert told.used == {ip_address("10.0.1.3"): "default/pod"}


@pytest.mark.parametrize("config", [KUBERNETES, CRD, CLUSTER, MULTI])
def test_what_another_mode_left_goes_once_nobody_has_it(config):
    """Nothing is leaked by a change of mode, and no pod loses its address."""
    left = {"allocated": (PoolPart("old", (TWO,)),)} if config is not MULTI else {}
    left |= {"pod_cidrs": (ONE,)} if config in (CRD, MULTI) else {}
    used = axoneme_node_ipam(node(**left), usage(used=["10.0.1.5", "10.0.2.5"]), config)
    assert (used.allocated, used.pod_cidrs) == (
        left.get("allocated", ()),
        left.get("pod_cidrs", ()),
    )
    gone = axoneme_node_ipam(node(**left), usage(), config)
    assert (gone.allocated, gone.pod_cidrs) == ((), ())


@pytest.mark.parametrize("config", [KUBERNETES, CRD, CLUSTER])
def test_where_there_is_one_pool_none_is_chosen(config):
    """Whatever a pod's annotations say."""
    pod = AddressRequest("default", "web", annotations={"ipam.cilium.io/ip-pool": "blue"})
    assert axoneme_choose_pools(pod, node(), config) is None


@pytest.mark.parametrize("config", [KUBERNETES, CRD])
def test_where_others_say_what_nodes_have_there_is_no_plan(config):
    """No operator is needed."""
    assert axoneme_assign_networks(IpamCluster(), config) is None


@pytest.mark.parametrize("config", [KUBERNETES, CRD, CLUSTER, MULTI])
def test_asked_again_it_says_the_same(config):
    """What was written is no reason to write again."""
    seen = node(["10.0.1.0/24"], [BLUE, pool("default", "10.3.0.0/16")], pod_cidrs=(ONE,))
    given = usage(("default", str(ONE), 3, 1, 250), used=["10.0.1.3"])
    first = axoneme_node_ipam(seen, given, config)
    again = node(
        ["10.0.1.0/24"],
        [BLUE, pool("default", "10.3.0.0/16")],
        pod_cidrs=first.pod_cidrs,
        requested=first.requested,
        allocated=first.allocated,
        used=first.used,
    )
    assert axoneme_node_ipam(again, given, config) == first
