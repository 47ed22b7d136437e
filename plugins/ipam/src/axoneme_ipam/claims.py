# SPDX-License-Identifier: Apache-2.0
"""What nodes have by their own resources: by whom a part is taken, and what two nodes claim."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, TypeAlias

from .ranges import range_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.model import Network, NodeRecord

    from .parts import NetworkParts

#: A family, its first and last address as numbers, the node, and the network that this is.
Claim: TypeAlias = "tuple[int, int, int, str, Network]"


def claims_of(records: Iterable[NodeRecord]) -> list[Claim]:
    """Every network of every node, in the order of addresses."""
    return sorted(
        (network.version, *range_of(network), record.name, network)
        for record in records
        for network in record.networks
    )


def contested(claims: list[Claim]) -> Iterator[str]:
    """Say which networks two nodes claim; claims are in order."""
    widest: Claim | None = None
    for claim in claims:
        version, first, last, node, network = claim
        if widest is not None and widest[0] == version and first <= widest[2] and node != widest[3]:
            own = "" if widest[4] == network else f", in the {widest[4]} of {widest[3]}"
            yield (
                f"nodes {widest[3]} and {node} both have {network}{own}: both keep it and nobody "
                "else gets it: drain one of the two, and remove the network from its resource"
            )
        if widest is None or widest[0] != version or last > widest[2]:
            widest = claim


class Places:
    """Networks that do not overlap, found by addresses."""

    def __init__(self, networks: Iterable[NetworkParts]) -> None:
        self._networks: dict[int, list[NetworkParts]] = {4: [], 6: []}
        for network in sorted(networks, key=lambda one: one.first):
            self._networks[network.network.version].append(network)
        self._firsts = {v: [one.first for one in found] for v, found in self._networks.items()}

    def take(self, claims: Iterable[Claim]) -> None:
        """Mark what is claimed as taken, wherever it is."""
        for version, first, last, _, _ in claims:
            networks = self._networks[version]
            index = bisect_right(self._firsts[version], last) - 1
            while index >= 0 and networks[index].last >= first:
                networks[index].take(first, last)
                index -= 1
