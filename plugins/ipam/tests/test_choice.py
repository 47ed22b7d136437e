# SPDX-License-Identifier: Apache-2.0
"""Which pool a pod's addresses come from, and why."""

from __future__ import annotations

import pytest
from plugins.ipam.tests.cluster import pool

from axoneme.model import AddressRequest, Selector
from axoneme_ipam.choice import choose_pools
from axoneme_ipam.config import IpamConfig

IP, IP4, IP6 = (f"ipam.cilium.io/{name}" for name in ("ip-pool", "ipv4-pool", "ipv6-pool"))
REQUIRE = {"ipam.cilium.io/require-pool-match": "true"}
POOLS = {
    one.name: one
    for one in (
        pool("default", "10.0.0.0/16", "fd00::/64"),
        pool("blue", "10.1.0.0/16", "fd00:1::/64", pod_selector=Selector.of({"app": "web"})),
        pool("cyan", "10.2.0.0/16", pod_selector=Selector.of({"tier": "front"})),
        pool("six", v6="fd00:3::/64"),
        pool(
            "team",
            "10.4.0.0/16",
            "fd00:4::/64",
            pod_selector=Selector.of({"app": "db"}),
            namespace_selector=Selector.of({"team": "a"}),
        ),
        pool("own", "10.5.0.0/16", pod_selector=Selector.of({"io.kubernetes.pod.namespace": "x"})),
    )
}


def choose(
    notes=(), labels=(), *, ns_notes=(), ns_labels=(), namespace="shop", pools=POOLS, **keys
):
    """What is chosen for a pod with these annotations and labels."""
    pod = AddressRequest(
        namespace, "web", dict(labels), dict(notes), dict(ns_labels), dict(ns_notes)
    )
    return choose_pools(pod, pools, IpamConfig(**keys))


@pytest.mark.parametrize(
    ("asked", "ipv4", "ipv6", "why"),
    [
        ({}, "default", "default", "no rule names another"),
        ({"default_pool": "blue"}, "blue", "blue", "no rule names another"),
        ({"notes": {IP: "blue"}}, "blue", "blue", f"annotation {IP} of the pod"),
        ({"notes": {IP: ""}}, "default", "default", "no rule names another"),
        ({"ns_notes": {IP: "blue"}}, "blue", "blue", f"annotation {IP} of the namespace shop"),
        (
            {"notes": {IP4: "cyan"}, "ns_notes": {IP: "blue"}},
            "cyan",
            "blue",
            f"IPv4: annotation {IP4} of the pod; IPv6: annotation {IP} of the namespace shop",
        ),
        (
            {"notes": {IP: "blue", IP6: "six"}},
            "blue",
            "six",
            f"IPv4: annotation {IP} of the pod; IPv6: annotation {IP6} of the pod",
        ),
        ({"notes": {IP: "cyan"}}, "cyan", "cyan", f"annotation {IP} of the pod"),
        ({"labels": {"app": "web"}}, "blue", "blue", "pool blue selects it"),
        (
            {"labels": {"tier": "front"}},
            "cyan",
            "default",
            "IPv4: pool cyan selects it; IPv6: no rule names another",
        ),
        (
            {"labels": {"app": "web", "tier": "front"}},
            "blue",
            "blue",
            "IPv4: pools blue, cyan select it: the first by name; IPv6: pool blue selects it",
        ),
        ({"labels": {"app": "db"}}, "default", "default", "no rule names another"),
        (
            {"labels": {"app": "db"}, "ns_labels": {"team": "a"}},
            "team",
            "team",
            "pool team selects it",
        ),
        (
            {"namespace": "x"},
            "own",
            "default",
            "IPv4: pool own selects it; IPv6: no rule names another",
        ),
        (
            {"labels": {"app": "web"}, "notes": {IP: "default"}},
            "default",
            "default",
            f"annotation {IP} of the pod",
        ),
        ({"labels": {"app": "web"}, "notes": REQUIRE}, "blue", "blue", "pool blue selects it"),
        (
            {"labels": {"tier": "front"}, "ns_notes": REQUIRE},
            "cyan",
            "cyan",
            "pool cyan selects it",
        ),
        ({"notes": REQUIRE | {IP4: "cyan"}}, "cyan", "cyan", f"annotation {IP4} of the pod"),
    ],
)
def test_the_first_rule_that_names_a_pool_counts(asked, ipv4, ipv6, why):
    """Annotations of the pod, of its namespace, selectors, then the default."""
    choice = choose(**asked)
    assert (choice.ipv4, choice.ipv6, choice.why, choice.refusal) == (ipv4, ipv6, why, "")


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (
            {"notes": {IP: "blu"}},
            f"shop/web: annotation {IP} of the pod: there is no pool blu; did you mean 'blue'?",
        ),
        ({"ns_notes": {IP6: "nowhere"}}, f"{IP6} of the namespace shop: there is no pool nowhere"),
        (
            {"notes": {IP6: "cyan"}},
            f"annotation {IP6} of the pod: pool cyan has no IPv6 networks; ",
        ),
        ({"notes": REQUIRE}, "must be of a pool that chooses it"),
        ({"ns_notes": REQUIRE}, f"annotate it or its namespace with {IP}"),
        (
            {"default_pool": "defalt"},
            "names a pool for it, and there is no pool defalt; did you mean 'default'?: add a",
        ),
        ({"pools": {}}, "there is no pool default: add a CiliumPodIPPool of that name"),
    ],
)
def test_a_pod_that_can_have_no_address_is_told_why(asked, refusal):
    """And which pool was meant."""
    assert refusal in choose(**asked).refusal


def test_a_pool_of_one_family_is_enough():
    """The default pool need not exist where a rule names another."""
    only = {"six": POOLS["six"]}
    assert choose({IP6: "six"}, pools=only).refusal == ""
    assert choose({IP: "six"}, pools=only).refusal == ""
