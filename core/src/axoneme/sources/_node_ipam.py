# SPDX-License-Identifier: Apache-2.0
"""What CiliumNode says of a node's addresses, from and to its fields."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from axoneme.model.address import parse_address
from axoneme.model.ipam import NodeIpam, PoolDemand, PoolPart
from axoneme.sources._networks import Networks
from axoneme.sources._resources import (
    Allocated,
    Needed,
    NodeStatus,
    OperatorStatus,
    PoolAddress,
    Pools,
    Requested,
    SpecIpam,
    StatusIpam,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axoneme.model import Address
    from axoneme.model.node import Network

_MOST_NEEDED = 1 << 32


def decode_ipam(spec: SpecIpam, status: NodeStatus) -> NodeIpam:
    """Raises ValueError, with the path of the field that is wrong."""
    own: Networks[str] = Networks()
    cidrs = _networks(spec.podCIDRs, "spec.ipam.podCIDRs", own)
    pools = spec.pools
    return NodeIpam(
        pod_cidrs=cidrs,
        pool=_decoded(spec.pool, "spec.ipam.pool")
        | _decoded(spec.ipv6_pool, "spec.ipam.ipv6-pool"),
        requested=tuple(map(_demand, pools.requested)),
        allocated=tuple(
            PoolPart(one.pool, _networks(one.cidrs, f"spec.ipam.pools.allocated {one.pool}", own))
            for one in pools.allocated
        ),
        used=_decoded(status.ipam.used, "status.ipam.used")
        | _decoded(status.ipam.ipv6_used, "status.ipam.ipv6-used"),
        error=status.ipam.operator_status.error,
    )


def _networks(texts: Iterable[str], where: str, own: Networks[str]) -> tuple[Network, ...]:
    networks = tuple(map(ip_network, texts))
    for network in networks:
        if own.overlapping(network):
            raise ValueError(f"{where} has {network} twice")
        own.add(network, where)
    return networks


def _demand(one: Requested) -> PoolDemand:
    for number in (one.needed.ipv4_addrs, one.needed.ipv6_addrs):
        if not 0 <= number <= _MOST_NEEDED:
            raise ValueError(f"spec.ipam.pools.requested of {one.pool}: {number} addresses")
    return PoolDemand(one.pool, one.needed.ipv4_addrs, one.needed.ipv6_addrs)


def _decoded(addresses: Mapping[str, PoolAddress], where: str) -> dict[Address, str]:
    try:
        return {parse_address(a): one.owner or one.resource for a, one in addresses.items()}
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def encode_ipam(ipam: NodeIpam) -> tuple[SpecIpam, NodeStatus]:
    """Return a node's addresses as the two halves of its resource have them."""
    spec = SpecIpam(
        podCIDRs=list(map(str, ipam.pod_cidrs)),
        pool=_encoded(ipam.pool, 4),
        ipv6_pool=_encoded(ipam.pool, 6),
        pools=Pools(
            [Requested(d.pool, Needed(d.ipv4, d.ipv6)) for d in ipam.requested],
            [Allocated(part.pool, list(map(str, part.networks))) for part in ipam.allocated],
        ),
    )
    used = StatusIpam(_encoded(ipam.used, 4), _encoded(ipam.used, 6), OperatorStatus(ipam.error))
    return spec, NodeStatus(used)


def _encoded(addresses: Mapping[Address, str], version: int) -> dict[str, PoolAddress]:
    return {str(a): PoolAddress(text) for a, text in addresses.items() if a.version == version}
