# SPDX-License-Identifier: Apache-2.0
"""The hooks of the ipam plugin: each asks the mode that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme import hookimpl

from . import clusterpool, crd, kubernetes, multipool
from .choice import choose_pools
from .config import IpamConfig, Mode

if TYPE_CHECKING:
    from axoneme.model import (
        AddressPool,
        AddressRequest,
        AddressUsage,
        AssignmentPlan,
        IpamCluster,
        IpamNode,
        NodeIpam,
        PoolChoice,
    )


@hookimpl
def axoneme_config() -> type[IpamConfig]:
    """The section [ipam]."""
    return IpamConfig


@hookimpl
def axoneme_address_pools(node: IpamNode, config: IpamConfig) -> list[AddressPool]:
    """The node's networks, as its resource says them, or Kubernetes."""
    if config.mode is Mode.KUBERNETES:
        return kubernetes.address_pools(node)
    if config.mode is Mode.CRD:
        return crd.address_pools(node)
    if config.mode is Mode.MULTI_POOL:
        return multipool.address_pools(node)
    return clusterpool.address_pools(node, config)


@hookimpl
def axoneme_choose_pools(
    pod: AddressRequest, node: IpamNode, config: IpamConfig
) -> PoolChoice | None:
    """The pools of a pod, where there are several."""
    if config.mode is Mode.MULTI_POOL:
        return choose_pools(pod, node.pools, config)
    return None


@hookimpl
def axoneme_node_ipam(node: IpamNode, usage: AddressUsage, config: IpamConfig) -> NodeIpam:
    """What the node needs, gives back, and has in use."""
    if config.mode is Mode.KUBERNETES:
        return kubernetes.node_ipam(node, usage)
    if config.mode is Mode.CRD:
        return crd.node_ipam(node, usage)
    if config.mode is Mode.MULTI_POOL:
        return multipool.node_ipam(node, usage, config)
    return clusterpool.node_ipam(node, usage, config)


@hookimpl
def axoneme_assign_networks(cluster: IpamCluster, config: IpamConfig) -> AssignmentPlan | None:
    """Parts of the cluster's pools for nodes, where they have some."""
    if config.mode is Mode.CLUSTER_POOL:
        return clusterpool.assign_networks(cluster, config)
    if config.mode is Mode.MULTI_POOL:
        return multipool.assign_networks(cluster)
    return None
