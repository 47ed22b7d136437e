# SPDX-License-Identifier: Apache-2.0
"""The four modes of the plugin ipam, with real agents, a real operator and pods by the CNI."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from attrs import evolve
from tests.system.members import Members

#: Four parts of six addresses, of each family.
CLUSTER_POOL = """
mode = "cluster-pool"
pre-allocate = 2
cluster-pool-ipv4-cidr = ["10.244.0.0/27"]
cluster-pool-ipv4-mask-size = 29
cluster-pool-ipv6-cidr = ["fd00:244::/123"]
cluster-pool-ipv6-mask-size = 125
"""


def parts(member, version=4):
    """The node's networks of a family, by its resource."""
    return {n for n in member.record.networks if n.version == version}


def placed(member, addresses):
    """The networks of the node that have these."""
    return {n for n in member.record.networks if any(a in n for a in addresses)}


@pytest.mark.parametrize("mode", ["native", "tunnel"])
def test_networks_go_where_pods_are(tmp_path, mode):
    """A node gets more while pods come, and what it gives back another one gets; routes follow."""
    keys = f'routing-mode = "{mode}"\naddress-quarantine = "0s"\n'
    with Members(tmp_path, CLUSTER_POOL, keys) as cluster, cluster.operator:
        one, two = cluster.start().members
        far = two.come("far")
        pods = one.come_all(f"pod{n}" for n in range(14))
        assert len({a for pair in pods.values() for a in pair}) == 28
        assert len(parts(one)) == len(parts(one, 6)) == 3
        last = max(pods, key=lambda name: pods[name][0])
        one.reach(last, far, two.pods["far"])
        two.reach("far", pods[last], one.pods[last])

        had = {*one.record.networks}
        one.go(*(name for name in pods if name != "pod0"))
        one.agent.wait_for(lambda: len(one.record.networks) < len(had) - 1, "networks to go back")
        more = two.come_all(f"more{n}" for n in range(8))
        moved = had & {*two.record.networks}
        there = [name for name, pair in more.items() if any(a in n for a in pair for n in moved)]
        assert there
        one.reach("pod0", more[there[0]], two.pods[there[0]])
        assert not {*one.record.networks} & {*two.record.networks}
        assert one.findings() == two.findings() == ""


#: The first part of `blue` has two addresses that may be given, each later one six.
POOLS = """
apiVersion: cilium.io/v2
kind: CiliumPodIPPool
metadata: {name: default}
spec: {ipv4: {cidrs: [10.50.0.0/16], maskSize: 28}}
---
apiVersion: cilium.io/v2
kind: CiliumPodIPPool
metadata: {name: blue}
spec:
  ipv4:
    maskSize: 29
    pool:
    - cidr: 10.60.0.0/26
      reservedRanges: [{start: 10.60.0.0, end: 10.60.0.4}, {start: 10.60.0.17, end: 10.60.0.62}]
---
apiVersion: v1
kind: Pod
metadata: {name: chosen, annotations: {ipam.cilium.io/ip-pool: blue}}
---
apiVersion: v1
kind: Pod
metadata: {name: strict, annotations: {ipam.cilium.io/require-pool-match: "true"}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {ipam.cilium.io/ip-pool: blue}}
"""
BLUE = {f"10.60.0.{n}" for n in (5, 6, 9, 10, 11, 12, 13, 14)}


def test_pods_of_a_node_are_of_the_pools_that_are_chosen_for_them(tmp_path):
    """By annotation of the pod or its namespace; the node asks for a pool when its first pod comes.

    Who must be chosen for and is not is refused, and what is reserved is given to nobody.
    """
    ipam = 'mode = "multi-pool"\npre-allocate = 2\n'
    with Members(tmp_path, ipam, count=1) as cluster, cluster.operator as operator:
        cluster.write("pools.yaml", POOLS)
        (one,) = cluster.start().members
        (plain,) = one.come("plain")
        assert plain in ip_network("10.50.0.0/16")
        assert one.record.ipam.part("blue") == ()
        (chosen,) = one.come("chosen")
        one.reach("plain", (chosen,), one.pods["chosen"])
        text = one.refused("strict")
        assert "default/strict must be of a pool that chooses it" in text
        assert "ipam.cilium.io/require-pool-match" in text

        others = one.come_all(f"shop/web{n}" for n in range(7))
        assert {str(chosen), *(str(a) for (a,) in others.values())} == BLUE
        assert "blue" in one.refused("shop/late")
        operator.wait_for(lambda: "node1" in operator.ask("status")["unserved"], "it to be said")
        assert "blue" in operator.ask("status")["unserved"]["node1"]
        (more,) = one.come("more")
        assert more in ip_network("10.50.0.0/16")


def test_addresses_come_from_another_controller(tmp_path):
    """Mode crd: it fills the node's resource, and reads there which addresses pods have."""
    with Members(tmp_path, 'mode = "crd"\n', 'address-quarantine = "0s"\n') as cluster:
        one, two = cluster.start().members
        give(cluster, one, "10.60.0.7", "fd00:60::7")
        give(cluster, two, "10.60.0.8", "fd00:60::8")
        web, far = one.come("shop/web"), two.come("shop/far")
        assert web == (ip_address("10.60.0.7"), ip_address("fd00:60::7"))
        assert far == (ip_address("10.60.0.8"), ip_address("fd00:60::8"))
        one.reach("shop/web", far, two.pods["shop/far"])
        two.reach("shop/far", web, one.pods["shop/web"])
        one.agent.wait_for(lambda: {*one.record.ipam.used} == {*web}, "it to be written back")
        assert {*one.record.ipam.used.values()} == {"shop/web"}
        assert "pool default of 1: no IPv4 address is free" in one.refused("late")

        give(cluster, one, "10.60.0.7", "fd00:60::7", "10.60.0.9", "fd00:60::9")
        late = one.come("late")
        assert late == (ip_address("10.60.0.9"), ip_address("fd00:60::9"))
        one.go("shop/web", "late")
        one.agent.wait_for(lambda: one.record.ipam.used == {}, "it to be cleared")


def give(cluster, member, *addresses):
    """Be the controller that fills spec.ipam.pool of a node."""
    pool = {ip_address(text): "eni-1" for text in addresses}
    cluster.nodes.update(member.name, lambda r: evolve(r, ipam=evolve(r.ipam, pool=pool)))


def test_podcidrs_of_kubernetes_change_under_pods(tmp_path):
    """They keep their addresses, are named, and are still reached; who comes gets a new one."""
    with Members(tmp_path, 'mode = "kubernetes"\n') as cluster:
        one, two = cluster.members
        two.agent.write_node(two.name, [ip_network("10.70.2.0/24")])
        one.agent.write_node(one.name, [ip_network("10.70.1.0/24"), ip_network("fd00:70::/64")])
        cluster.start()
        old, far = one.come("shop/old"), two.come("far")
        assert old[0] in ip_network("10.70.1.0/24")
        assert old[1] in ip_network("fd00:70::/64")
        one.agent.write_node(one.name, [ip_network("10.71.1.0/24")])
        one.agent.wait_for(lambda: f"shop/old has {old[0]}" in one.findings(), "it to be named")
        assert one.come("shop/old") == old
        (new,) = one.come("new")
        assert new in ip_network("10.71.1.0/24")
        for name, addresses in (("shop/old", old[:1]), ("new", (new,))):
            two.reach("far", addresses, one.pods[name])
            one.reach(name, far, two.pods["far"])
