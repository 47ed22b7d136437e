# SPDX-License-Identifier: Apache-2.0
"""Pools of addresses, nodes' networks and annotations: read as a cluster has them, or named."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from axoneme.model import AddressRange, FamilyPool, PodIPPool
from axoneme.model.selector import Operator, Requirement, Selector
from axoneme.sources.manifests import ManifestReader

POOL = """\
apiVersion: cilium.io/v2
kind: CiliumPodIPPool
metadata: {name: blue}
spec:
  ipv4:
    cidrs: [{cidr: 10.10.0.0/16}, 10.20.0.0/16]
    maskSize: 24
  ipv6:
    maskSize: 120
    pool:
    - cidr: fd00::/104
      reservedRanges: [{start: "fd00::1", end: "fd00::ff"}]
  allowFirstIP: true
  podSelector: {matchLabels: {app: web}}
  namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}
"""
OLD = """\
apiVersion: cilium.io/v2alpha1
kind: CiliumPodIPPool
metadata: {name: old}
spec:
  ipv4: {cidrs: [10.30.0.0/16], maskSize: 27}
"""
NODE = """\
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: a}}
spec: {podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24, "fd00:1::/64"], taints: []}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, annotations: {ipam.cilium.io/ip-pool: blue}}
"""
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: default, annotations: {ipam.cilium.io/ipv6-pool: green}}
"""
_V4 = "  ipv4: {cidrs: [10.30.0.0/16], maskSize: 27}\n"


@pytest.fixture
def read(tmp_path):
    reader = ManifestReader(tmp_path)

    def read(text, name="a.yaml"):
        draft = tmp_path / ".draft"
        draft.write_text(text)
        draft.replace(tmp_path / name)
        return reader.read()

    return read


def old(ipv4):
    """A pool of v2alpha1 with this for its IPv4."""
    return OLD.replace(_V4, f"  ipv4: {ipv4}\n")


def reserving(start, end):
    """IPv4 of a pool that reserves addresses of 10.0.0.0/16."""
    ranges = f"[{{start: {start}, end: {end}}}]"
    return f"{{maskSize: 24, pool: [{{cidr: 10.0.0.0/16, reservedRanges: {ranges}}}]}}"


def test_a_pool_is_read_whole(read, tmp_path):
    """Of both versions: networks as texts and as mappings, what is reserved, and whom it is for."""
    manifests = read(f"{POOL}---\n{OLD}")
    assert manifests.problems == ()
    assert manifests.ignored == {}
    reserved = AddressRange(ip_address("fd00::1"), ip_address("fd00::ff"))
    assert manifests.pools == {
        "blue": PodIPPool(
            "blue",
            FamilyPool((ip_network("10.10.0.0/16"), ip_network("10.20.0.0/16")), 24),
            FamilyPool((ip_network("fd00::/104"),), 120, (reserved,)),
            allow_first=True,
            pod_selector=Selector.of({"app": "web"}),
            namespace_selector=Selector([Requirement("team", Operator.EXISTS)]),
        ),
        "old": PodIPPool("old", FamilyPool((ip_network("10.30.0.0/16"),), 27)),
    }
    assert manifests.pools["blue"].place == f"{tmp_path}/a.yaml:1"


def test_a_network_may_stand_in_cidrs_and_in_pool(read):
    """Who reserves a part of a network says it once more: it is one network."""
    both = (
        "{cidrs: [10.0.0.0/16], maskSize: 24, pool: "
        "[{cidr: 10.0.0.0/16, reservedRanges: [{start: 10.0.0.1, end: 10.0.0.9}]}]}"
    )
    manifests = read(old(both))
    assert manifests.problems == ()
    assert manifests.pools["old"].ipv4 == FamilyPool(
        (ip_network("10.0.0.0/16"),),
        24,
        (AddressRange(ip_address("10.0.0.1"), ip_address("10.0.0.9")),),
    )


@pytest.mark.parametrize(
    ("ipv4", "key", "words"),
    [
        ("{cidrs: [10.0.0.0/16], maskSize: 33}", "spec.ipv4.maskSize", "1 to 32 for IPv4, not 33"),
        ("{cidrs: [10.0.0.0/16], maskSize: 0}", "spec.ipv4.maskSize", "1 to 32 for IPv4, not 0"),
        ("{cidrs: [10.0.0.0/16], maskSize: a}", "spec.ipv4.maskSize", "expected a number"),
        ("{cidrs: [10.0.0.0/16]}", "spec.ipv4.maskSize", "is missing"),
        ("{maskSize: 24}", "spec.ipv4", "needs at least one network in cidrs or pool"),
        ("{cidrs: [], maskSize: 24}", "spec.ipv4", "needs at least one network"),
        (
            "{cidrs: [10.0.0.0/26], maskSize: 24}",
            "spec.ipv4.cidrs[0]",
            "10.0.0.0/26 is smaller than a node's part of it, which maskSize 24 is",
        ),
        (
            "{cidrs: [10.0.0.0/8, 10.1.0.0/16], maskSize: 24}",
            "spec.ipv4.cidrs[1]",
            "10.1.0.0/16 overlaps 10.0.0.0/8, which the pool has already",
        ),
        (
            "{cidrs: [10.0.0.0/16], maskSize: 24, pool: [{cidr: 10.0.0.0/8}]}",
            "spec.ipv4.pool[0].cidr",
            "10.0.0.0/8 overlaps 10.0.0.0/16",
        ),
        ("{cidrs: [10.0.0.0/16, 10.0.0.0/16], maskSize: 24}", "spec.ipv4.cidrs[1]", "overlaps"),
        ('{cidrs: ["fd00::/64"], maskSize: 24}', "spec.ipv4.cidrs[0]", "write it below ipv6"),
        ("{cidrs: [10.0.0.0], maskSize: 24}", "spec.ipv4.cidrs[0]", "'10.0.0.0' is no network"),
        ("{cidrs: [{cdir: 1}], maskSize: 24}", "spec.ipv4.cidrs[0].cdir", "unknown field"),
        ("{cidrs: [7], maskSize: 24}", "spec.ipv4.cidrs[0]", "expected a mapping or a string"),
        ("{cidr: [10.0.0.0/16], maskSize: 24}", "spec.ipv4.cidr", "unknown field"),
        (
            reserving("10.1.0.0", "10.0.0.1"),
            "spec.ipv4.pool[0].reservedRanges[0].start",
            "10.1.0.0 is outside 10.0.0.0/16",
        ),
        (
            reserving("10.0.0.9", "10.0.0.1"),
            "spec.ipv4.pool[0].reservedRanges[0]",
            "a range from 10.0.0.9 to 10.0.0.1 has no addresses",
        ),
        (
            reserving("10.0.0.x", "10.0.0.1"),
            "spec.ipv4.pool[0].reservedRanges[0].start",
            "'10.0.0.x' is no address",
        ),
    ],
)
def test_what_is_wrong_in_a_pool_is_named(read, tmp_path, ipv4, key, words):
    """By file, line and field; the pool stays as it was."""
    before = read(OLD)
    manifests = read(old(ipv4))
    problem = manifests.problems[0]
    assert (problem.file, problem.line, problem.key) == (f"{tmp_path}/a.yaml", 1, key)
    assert words in problem.message
    assert manifests.pools == before.pools


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (OLD.replace("v2alpha1", "v3"), "apiVersion", "cilium.io/v2 or cilium.io/v2alpha1, not"),
        (OLD.replace(_V4, "  allowFirstIP: true\n"), "spec", "needs ipv4, ipv6 or both"),
        (OLD + "  podSelektor: {}\n", "spec.podSelektor", "unknown field"),
        (
            OLD + "  podSelector: {matchLabels: {a b: c}}\n",
            'spec.podSelector.matchLabels."a b"',
            "'a b' is no key of a label",
        ),
        (OLD.replace("name: old", "name: O_LD"), "metadata.name", "'O_LD' is no name"),
        (NODE.replace("10.1.0.0/24, ", "x, "), "spec.podCIDRs[0]", "'x' is no network"),
        (NODE.replace('"fd00:1::/64"', "10.1.0.0/25"), "spec.podCIDRs[1]", "overlaps 10.1.0.0/24"),
    ],
)
def test_other_faults_of_pools_and_nodes_are_named(read, text, key, words):
    """A field that is not known among them: it would change what the pool means."""
    (problem,) = read(text).problems
    assert (problem.line, problem.key) == (1, key)
    assert words in problem.message


def test_two_pools_of_one_name_are_named(read):
    """The first stays."""
    read(OLD)
    manifests = read(OLD.replace("10.30", "10.40"), "b.yaml")
    (problem,) = manifests.problems
    assert "CiliumPodIPPool old is at a.yaml:1 already" in problem.message
    assert manifests.pools["old"].ipv4.networks == (ip_network("10.30.0.0/16"),)


def test_networks_of_nodes_are_read(read):
    """The first of them, which stands in both fields, once; a node that has none yet is known."""
    manifests = read(f"{NODE}---\n{NODE.partition('spec')[0].replace('n1', 'n2')}")
    assert manifests.problems == ()
    assert manifests.node_cidrs == {
        "n1": (ip_network("10.1.0.0/24"), ip_network("fd00:1::/64")),
        "n2": (),
    }


def test_annotations_are_read(read):
    """Those of pods and of namespaces; who has no manifest has none."""
    manifests = read(f"{POD}---\n{NAMESPACE}")
    assert manifests.pod("default", "web").annotations == {"ipam.cilium.io/ip-pool": "blue"}
    assert manifests.namespace_annotations("default") == {"ipam.cilium.io/ipv6-pool": "green"}
    assert manifests.pod("default", "other").annotations == {}
    assert manifests.namespace_annotations("other") == {}


def test_pools_and_nodes_do_not_say_who_is_who(read):
    """So that endpoints are left alone when they change."""
    before = read(POD)
    changed = read(f"{POOL}---\n{NODE}", "b.yaml")
    assert changed.pools != before.pools
    assert changed.says_who_is_who_as(before)
