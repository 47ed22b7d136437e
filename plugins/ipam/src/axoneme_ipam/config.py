# SPDX-License-Identifier: Apache-2.0
"""The [ipam] section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any

from attrs import Attribute, field, frozen

from axoneme.model import DEFAULT_POOL

#: A node's narrowest part: the network, the node's own address, a pod's, and the broadcast.
_NARROWEST = {4: 30, 6: 126}
_MOST_AHEAD = 1 << 16
_FOLLOWED = {"effect": "RELOAD"}


class Mode(Enum):
    """Who says which addresses a node has."""

    KUBERNETES = "kubernetes"
    CLUSTER_POOL = "cluster-pool"
    MULTI_POOL = "multi-pool"
    CRD = "crd"


def _also(*spellings: str) -> dict[str, Any]:
    return {**_FOLLOWED, "aliases": spellings}


def _frozen(value: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(value))


def _apart(_: object, __: object, value: tuple[IPv4Network | IPv6Network, ...]) -> None:
    for index, one in enumerate(value):
        other = next((other for other in value[:index] if other.overlaps(one)), None)
        if other is not None:
            wider = max(one, other, key=lambda network: network.num_addresses)
            raise ValueError(f"{other} and {one} overlap: keep {wider}")


def _mask(instance: Any, attribute: Attribute[int], value: int) -> None:
    version = 4 if "ipv4" in attribute.name else 6
    networks = getattr(instance, f"cluster_pool_ipv{version}_cidr")
    widest = max((network.prefixlen for network in networks), default=1)
    if not widest <= value <= _NARROWEST[version]:
        why = f", which each of {', '.join(map(str, networks))} holds" if networks else ""
        raise ValueError(
            f"must be {widest} to {_NARROWEST[version]}, not {value}: a node's part{why} and "
            "that has an address for a pod beside the node's own"
        )


def _ahead(_: object, __: object, value: int) -> None:
    if not 0 <= value <= _MOST_AHEAD:
        raise ValueError(f"must be 0 to {_MOST_AHEAD} addresses, not {value}")


def _ahead_of_pools(_: object, __: object, value: Mapping[str, int]) -> None:
    for pool, number in value.items():
        if not 0 <= number <= _MOST_AHEAD:
            raise ValueError(f"must be 0 to {_MOST_AHEAD} addresses of {pool}, not {number}")


def _named(_: object, __: object, value: str) -> None:
    if not value:
        raise ValueError(f"must be the name of a pool, such as {DEFAULT_POOL!r}")


@frozen
class IpamConfig:
    """Which addresses nodes have for their pods, and which of them a pod gets."""

    #: Who says which addresses a node has.
    mode: Mode = field(default=Mode.CLUSTER_POOL, metadata=_also("ipam"))
    #: The networks that nodes get parts of in the mode cluster-pool, and the mask of a part.
    cluster_pool_ipv4_cidr: tuple[IPv4Network, ...] = field(
        default=(),
        validator=_apart,
        metadata=_also("ipam.operator.clusterPoolIPv4PodCIDRList", "cluster-pool-ipv4-cidr"),
    )
    cluster_pool_ipv4_mask_size: int = field(
        default=24,
        validator=_mask,
        metadata=_also("ipam.operator.clusterPoolIPv4MaskSize", "cluster-pool-ipv4-mask-size"),
    )
    #: The same for IPv6.
    cluster_pool_ipv6_cidr: tuple[IPv6Network, ...] = field(
        default=(),
        validator=_apart,
        metadata=_also("ipam.operator.clusterPoolIPv6PodCIDRList", "cluster-pool-ipv6-cidr"),
    )
    cluster_pool_ipv6_mask_size: int = field(
        default=120,
        validator=_mask,
        metadata=_also("ipam.operator.clusterPoolIPv6MaskSize", "cluster-pool-ipv6-mask-size"),
    )
    #: Addresses of each family that a node has ready for pods that may come.
    pre_allocate: int = field(default=8, validator=_ahead, metadata=_FOLLOWED)
    #: The same of one pool, in the mode multi-pool.
    multi_pool_pre_allocation: Mapping[str, int] = field(
        factory=dict,
        converter=_frozen,
        validator=_ahead_of_pools,
        metadata=_also(
            "ipam.multiPoolPreAllocation",
            "ipamMultiPoolPreAllocation",
            "ipam-multi-pool-pre-allocation",
        ),
    )
    #: The pool of pods that no rule gives another, in the mode multi-pool.
    default_pool: str = field(
        default=DEFAULT_POOL, validator=_named, metadata=_also("ipam-default-ip-pool")
    )

    def ahead(self, pool: str, *, in_use: bool) -> int:
        """How many addresses of a pool a node has ready; of another than the default if in use."""
        if pool in self.multi_pool_pre_allocation:
            return self.multi_pool_pre_allocation[pool]
        return self.pre_allocate if in_use or pool == self.default_pool else 0
