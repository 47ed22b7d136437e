# SPDX-License-Identifier: Apache-2.0
"""The mode multi-pool: an operator gives nodes parts of the pools that their pods are to be of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from axoneme.model import AddressPool, PoolPart

from .leftovers import used_parts
from .needs import FAMILIES, kept, need, still_used
from .planning import Holding, Naming, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.model import (
        AddressUsage,
        AssignmentPlan,
        IpamCluster,
        IpamNode,
        Network,
        NodeIpam,
        NodeRecord,
        PodIPPool,
        PoolDemand,
    )

    from .config import IpamConfig


def versions_of(pool: PodIPPool) -> tuple[int, ...]:
    """The families that a pool has."""
    return tuple(version for version in FAMILIES if pool.family(version) is not None)


def address_pools(node: IpamNode) -> list[AddressPool]:
    """The cluster's pools with the node's parts, and parts of pools that are gone."""
    gone = {part.pool: part.networks for part in node.ipam.allocated if part.pool not in node.pools}
    there = [_address_pool(pool, node) for _, pool in sorted(node.pools.items())]
    return there + [AddressPool(name, node.ipam.part(name)) for name in sorted(gone)]


def _address_pool(pool: PodIPPool, node: IpamNode) -> AddressPool:
    known = (pool.family(version) for version in FAMILIES)
    reserved = (one for family in known if family is not None for one in family.reserved)
    return AddressPool(
        pool.name,
        node.ipam.part(pool.name),
        versions_of(pool),
        tuple(reserved),
        allow_first=pool.allow_first,
        allow_last=pool.allow_last,
        grows=True,
    )


def node_ipam(node: IpamNode, usage: AddressUsage, config: IpamConfig) -> NodeIpam:
    """What the node needs of each pool; its parts without those that it gives back."""
    demands = {name: _need(pool, usage, config) for name, pool in sorted(node.pools.items())}
    return evolve(
        node.ipam,
        pod_cidrs=still_used(node.ipam.pod_cidrs, usage),
        requested=tuple(demand for demand in demands.values() if demand.ipv4 or demand.ipv6),
        allocated=tuple(_kept_parts(node, usage, demands)),
        used={},
    )


def _need(pool: PodIPPool, usage: AddressUsage, config: IpamConfig) -> PoolDemand:
    return need(
        usage, pool.name, versions_of(pool), lambda used: config.ahead(pool.name, in_use=used)
    )


def _kept_parts(
    node: IpamNode, usage: AddressUsage, demands: dict[str, PoolDemand]
) -> Iterator[PoolPart]:
    for part in node.ipam.allocated:
        demand = demands.get(part.pool)
        if demand is None:
            yield from used_parts([part], usage)
            continue
        pool = node.pools[part.pool]
        wide = [n for v in FAMILIES if (family := pool.family(v)) for n in family.networks]
        networks = kept(part.networks, usage, demand, wide)
        if networks:
            yield PoolPart(part.pool, networks)


def assign_networks(cluster: IpamCluster) -> AssignmentPlan:
    """Parts of pools for nodes whose addresses do not cover their need."""
    pools = [pool for _, pool in sorted(cluster.pools.items())]
    return plan(pools, [_holding(record) for record in cluster.nodes], _NAMING, cluster.taken)


def _holding(record: NodeRecord) -> Holding:
    parts: dict[str, tuple[Network, ...]] = {}
    for part in record.ipam.allocated:
        parts[part.pool] = (*parts.get(part.pool, ()), *part.networks)
    needs = {
        (demand.pool, version): demand.of(version)
        for demand in record.ipam.requested
        for version in FAMILIES
        if demand.of(version)
    }
    return Holding(record, parts, needs)


_NAMING = Naming(
    assigned=lambda pool: pool,
    key=lambda pool, version: f"spec.ipv{version}.cidrs of CiliumPodIPPool {pool}",
    mask=lambda pool, version: f"spec.ipv{version}.maskSize of CiliumPodIPPool {pool}",
)
