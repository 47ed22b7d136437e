# SPDX-License-Identifier: Apache-2.0
"""The mode crd: another controller puts single addresses into the node's resource."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from attrs import evolve

from axoneme.model import AddressPool

from .leftovers import used_parts
from .needs import still_used

if TYPE_CHECKING:
    from axoneme.model import AddressUsage, IpamNode, NodeIpam


def address_pools(node: IpamNode) -> list[AddressPool]:
    """One pool of the addresses of spec.ipam.pool, in order."""
    addresses = sorted(node.ipam.pool, key=lambda address: (address.version, int(address)))
    return [AddressPool(networks=map(ip_network, addresses), grows=True)]


def node_ipam(node: IpamNode, usage: AddressUsage) -> NodeIpam:
    """Who has which address, for the controller."""
    ipam = node.ipam
    return evolve(
        ipam,
        pod_cidrs=still_used(ipam.pod_cidrs, usage),
        allocated=used_parts(ipam.allocated, usage),
        requested=(),
        used=usage.used,
    )
