# SPDX-License-Identifier: Apache-2.0
"""All pools of the cluster beside each other: which give, and which cannot."""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import TYPE_CHECKING, TypeAlias

from attrs import field, frozen

from .claims import Places
from .needs import FAMILIES
from .parts import Share, is_inside
from .ranges import range_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.model import FamilyPool, Network, PodIPPool

    from .claims import Claim
    from .naming import Naming
    from .ranges import Range

#: The name of a pool, and a family.
Key: TypeAlias = tuple[str, int]


@frozen
class Shares:
    """The families of all pools, why some pools give nothing, and what is wrong with them."""

    by_key: dict[Key, Share]
    barred: dict[str, str]
    problems: tuple[str, ...]
    names: tuple[str, ...]
    _spans: dict[Key, list[Range]] = field(repr=False)

    @classmethod
    def of(cls, pools: Iterable[PodIPPool], naming: Naming) -> Shares:
        """The pools in the order of their names: of two that overlap the later one is barred."""
        by_name = {pool.name: pool for pool in sorted(pools, key=lambda pool: pool.name)}
        shares = {
            (name, version): Share.of(pool, version, family)
            for name, pool in by_name.items()
            for version, family in _families(pool)
        }
        barred = _barred(by_name.values(), naming)
        wrong = [text for pool in by_name.values() for text in _faults(pool, naming)]
        spans = {
            (name, version): [range_of(network) for network in family.networks]
            for name, pool in by_name.items()
            for version, family in _families(pool)
        }
        return cls(shares, barred, (*wrong, *barred.values()), tuple(by_name), spans)

    def take(self, claims: list[Claim]) -> None:
        """Mark what nodes have as taken, before anything is given."""
        free = [share for (name, _), share in self.by_key.items() if name not in self.barred]
        Places(network for share in free for network in share.networks).take(claims)

    def take_of_barred(self, claims: list[Claim]) -> None:
        """Count in barred pools what nodes have of them, and what they got of another meanwhile."""
        given = [part for share in self.by_key.values() for part in share.given]
        new: list[Claim] = [(part.version, *range_of(part), "", part) for part in given]
        for (name, _), share in self.by_key.items():
            if name in self.barred:
                Places(share.networks).take((*claims, *new))

    def has(self, pool: str, network: Network) -> bool:
        """Whether a network is of a pool."""
        first, last = range_of(network)
        spans = self._spans.get((pool, network.version), ())
        return any(low <= first and last <= high for low, high in spans)


def _families(pool: PodIPPool) -> Iterator[tuple[int, FamilyPool]]:
    for version in FAMILIES:
        family = pool.family(version)
        if family is not None:
            yield version, family


def _barred(pools: Iterable[PodIPPool], naming: Naming) -> dict[str, str]:
    """Why pools give nothing: their networks are another's, whose name comes first."""
    known: dict[int, list[tuple[int, int, str, Network]]] = {4: [], 6: []}
    barred: dict[str, str] = {}
    for pool in pools:
        networks = [network for _, family in _families(pool) for network in family.networks]
        for network in networks:
            other = _overlapping(known[network.version], network)
            if other is not None:
                barred[pool.name] = naming.overlap(other[2], other[3], pool.name, network)
                break
        else:
            for network in networks:
                insort(known[network.version], (*range_of(network), pool.name, network))
    return barred


def _overlapping(
    known: list[tuple[int, int, str, Network]], network: Network
) -> tuple[int, int, str, Network] | None:
    """One of networks that do not overlap each other, but this one."""
    first, last = range_of(network)
    index = bisect_right(known, last, key=lambda one: one[0]) - 1
    found = known[index] if index >= 0 else None
    return found if found is not None and found[1] >= first else None


def _faults(pool: PodIPPool, naming: Naming) -> Iterator[str]:
    for version, family in _families(pool):
        for network in family.networks:
            if not network.prefixlen <= family.mask_size <= network.max_prefixlen:
                yield naming.unparted(pool.name, version, network, family.mask_size)
            if is_inside(network, family):
                yield naming.inside(pool.name, version, network)
