# SPDX-License-Identifier: Apache-2.0
"""The mode cluster-pool: the cluster has wide networks, and each node claims a part of each family.

No server gives them out: a claim is made in the state directory that the agents share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attrs import Attribute

    from axoneme.model.node import Network
    from axoneme.sources import CidrClaims

#: A node's smallest network: two addresses that none can have, the node's own, and one of a pod.
_SMALLEST = {4: 30, 6: 126}


def _one_family(
    _: object, attribute: Attribute[tuple[Network, ...]], value: tuple[Network, ...]
) -> None:
    if not value:
        raise ValueError(f"{attribute.name} must have a network")
    if len({network.version for network in value}) != 1:
        raise ValueError(f"{attribute.name} must all be IPv4 or all IPv6: {_names(value)}")


@frozen
class ClusterPool:
    """The networks of one family that nodes take theirs from, and the mask of what a node gets."""

    networks: tuple[Network, ...] = field(validator=_one_family)
    mask_size: int = field()

    @mask_size.validator
    def _check_mask_size(self, _: object, value: int) -> None:
        longest = max(network.prefixlen for network in self.networks)
        smallest = _SMALLEST[self.version]
        if not longest <= value <= smallest:
            raise ValueError(
                f"the mask size of {self} must be {longest} to {smallest}, not {value}"
            )

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.networks[0].version

    @property
    def size(self) -> int:
        """How many nodes it is for."""
        return sum(1 << self.mask_size - network.prefixlen for network in self.networks)

    def parts(self) -> Iterator[Network]:
        """Every network that a node may have, in order."""
        for network in self.networks:
            yield from network.subnets(new_prefix=self.mask_size)

    def claim(self, claims: CidrClaims, node: str) -> Network:
        """Return the node's network, claimed the first time.

        What a node has claimed it keeps, also when the pool is another one now: pods have
        addresses of it.

        Raises:
            PoolExhausted: other nodes have all of it.
        """
        for network in claims.of_node(node):
            if network.version == self.version:
                return network
        return claims.claim_any(self.parts(), node, pool=str(self), size=self.size)

    def __str__(self) -> str:
        """Return its networks."""
        return _names(self.networks)


def _names(networks: tuple[Network, ...]) -> str:
    return ", ".join(map(str, networks))
