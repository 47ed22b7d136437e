# SPDX-License-Identifier: Apache-2.0
"""The mode kubernetes: a node has the podCIDRs that Kubernetes gives it, and no operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from axoneme.model import AddressPool

from .leftovers import without_leftovers
from .needs import still_used

if TYPE_CHECKING:
    from axoneme.model import AddressUsage, IpamNode, Network, NodeIpam


def address_pools(node: IpamNode) -> list[AddressPool]:
    """One pool; while Kubernetes says nothing, it has what it last said."""
    networks = _networks(node)
    return [AddressPool(networks=networks, grows=not networks)]


def _networks(node: IpamNode) -> tuple[Network, ...]:
    return node.kubernetes_cidrs or node.ipam.pod_cidrs


def node_ipam(node: IpamNode, usage: AddressUsage) -> NodeIpam:
    """The podCIDRs, for the other nodes; those of before too, as long as pods have them."""
    now = _networks(node)
    before = [network for network in node.ipam.pod_cidrs if network not in now]
    ipam = without_leftovers(node.ipam, usage)
    return evolve(ipam, pod_cidrs=(*now, *still_used(before, usage)), requested=())
