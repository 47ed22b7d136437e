# SPDX-License-Identifier: Apache-2.0
"""The mode cluster-pool: an operator gives nodes parts of the cluster's networks, as podCIDRs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from axoneme.model import (
    DEFAULT_POOL,
    AddressPool,
    AssignmentPlan,
    FamilyPool,
    PodIPPool,
)

from .leftovers import without_leftovers
from .needs import families, kept, need
from .planning import Holding, Naming, plan

if TYPE_CHECKING:
    from axoneme.model import AddressUsage, IpamCluster, IpamNode, Network, NodeIpam, NodeRecord

    from .config import IpamConfig


def address_pools(node: IpamNode, config: IpamConfig) -> list[AddressPool]:
    """One pool of the node's podCIDRs."""
    networks = node.ipam.pod_cidrs
    return [AddressPool(networks=networks, versions=_versions(networks, config), grows=True)]


def _versions(networks: tuple[Network, ...], config: IpamConfig) -> tuple[int, ...]:
    """The cluster's families; a node that is not told them believes the operator."""
    return families(_wide(config)) or families(networks)


def _wide(config: IpamConfig) -> tuple[Network, ...]:
    return (*config.cluster_pool_ipv4_cidr, *config.cluster_pool_ipv6_cidr)


def node_ipam(node: IpamNode, usage: AddressUsage, config: IpamConfig) -> NodeIpam:
    """What the node needs of the pool; its podCIDRs without those that it gives back."""
    cidrs = node.ipam.pod_cidrs
    versions = _versions(cidrs, config)
    demand = need(usage, DEFAULT_POOL, versions, lambda _: config.pre_allocate)
    return evolve(
        without_leftovers(node.ipam, usage),
        pod_cidrs=kept(cidrs, usage, demand, _wide(config)),
        requested=(demand,),
    )


def assign_networks(cluster: IpamCluster, config: IpamConfig) -> AssignmentPlan:
    """Parts for nodes that have none, and for those whose addresses do not cover their need."""
    pool = _pool(config)
    if pool.ipv4 is None and pool.ipv6 is None:
        text = (
            "nodes get no addresses: ipam.cluster-pool-ipv4-cidr and ipam.cluster-pool-ipv6-cidr "
            "are both empty: write the cluster's networks into one or both"
        )
        return AssignmentPlan(problems=(text,))
    versions = [version for version in (4, 6) if pool.family(version)]
    holdings = [_holding(record, versions) for record in cluster.nodes]
    return plan([pool], holdings, _NAMING, cluster.taken)


def _pool(config: IpamConfig) -> PodIPPool:
    networks4, networks6 = config.cluster_pool_ipv4_cidr, config.cluster_pool_ipv6_cidr
    return PodIPPool(
        DEFAULT_POOL,
        FamilyPool(networks4, config.cluster_pool_ipv4_mask_size) if networks4 else None,
        FamilyPool(networks6, config.cluster_pool_ipv6_mask_size) if networks6 else None,
    )


def _holding(record: NodeRecord, versions: list[int]) -> Holding:
    """A node gets a part of each family before it says anything: its first pod shall not wait."""
    demand = record.ipam.demand(DEFAULT_POOL)
    needs = {(DEFAULT_POOL, version): max(1, demand.of(version)) for version in versions}
    return Holding(record, {DEFAULT_POOL: record.ipam.pod_cidrs}, needs)


_NAMING = Naming(
    assigned=lambda _: "",
    key=lambda _, version: f"ipam.cluster-pool-ipv{version}-cidr",
    mask=lambda _, version: f"ipam.cluster-pool-ipv{version}-mask-size",
)
