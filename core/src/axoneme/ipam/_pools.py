# SPDX-License-Identifier: Apache-2.0
"""The pools of a node: which network an address is of, and whose part it plays there."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from attrs import frozen

from axoneme.errors import PoolExhausted
from axoneme.ipam._family import PoolFamily
from axoneme.ipam._ranges import refusal, usable_size
from axoneme.model import DEFAULT_POOL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.model import Address, AddressPool, AddressRequest, PoolChoice
    from axoneme.model.node import Network

VERSIONS: Final = (4, 6)
_NETWORKS_NAMED: Final = 8


@frozen(eq=False)
class Place:
    """A network of a family of a pool; `size` is how many addresses of it can be given."""

    family: PoolFamily
    network: Network
    size: int

    @property
    def pool(self) -> AddressPool:
        """The pool that has the network."""
        return self.family.pool

    def refusal(self, address: Address) -> str:
        """Why an address of it is never given, or nothing."""
        return refusal(self.pool, self.network, address)

    def gives(self, address: Address) -> bool:
        """Whether an address of it can be given at all."""
        return self.family.ranges.place(int(address)) is not None


class Pools:
    """Pools whose networks do not overlap: of two that do the first counts."""

    def __init__(self, pools: Iterable[AddressPool]) -> None:
        self.problems: list[str] = []
        self._pools: dict[str, AddressPool] = {}
        self._networks = _Networks()
        self._families: dict[tuple[str, int], PoolFamily] = {}
        #: Every network, in the order of the pools.
        self.places: dict[Network, Place] = {}
        for pool in pools:
            if pool.name in self._pools:
                self.problems.append(f"there are two pools called {pool}: the second is left out")
                continue
            self._pools[pool.name] = pool
            self._add(pool)

    def _add(self, pool: AddressPool) -> None:
        by_version: dict[int, list[Network]] = {version: [] for version in VERSIONS}
        for network in pool.networks:
            other = self._networks.overlapping(network)
            if other is None:
                self._networks.add(network)
                by_version[network.version].append(network)
            else:
                owner = self.places[other].pool if other in self.places else pool
                self.problems.append(
                    f"pool {pool}: {network} overlaps {other} of pool {owner}: it is left out, "
                    "and this node gives no address of it"
                )
        for version, networks in by_version.items():
            family = self._families[pool.name, version] = PoolFamily(pool, version, networks)
            self.places |= {n: Place(family, n, usable_size(pool, n)) for n in networks}

    @property
    def families(self) -> Iterable[PoolFamily]:
        """Every family of every pool."""
        return self._families.values()

    def find(self, address: Address) -> Place | None:
        """The network of an address."""
        network = self._networks.find(address)
        return None if network is None else self.places[network]

    def chosen(self, choice: PoolChoice) -> dict[int, PoolFamily]:
        """The families that a choice stands for, by version."""
        found: dict[int, PoolFamily] = {}
        for version in VERSIONS:
            pool = self._pools.get(choice.of(version))
            if pool is not None and version in self._versions(pool):
                found[version] = self._families[pool.name, version]
        return found

    def refusal(self, choice: PoolChoice, request: AddressRequest, known: set[int]) -> str:
        """Why there is no such choice, or nothing: it names a pool that the node has not.

        Addresses that the pod asks for, or has already, need no pool.
        """
        settled = known | {address.version for address in request.addresses}
        names = [choice.of(version) for version in VERSIONS if version not in settled]
        unknown = [name for name in names if name not in self._pools]
        # Who chooses a pool for one family only gets nothing else where there is no default.
        only_default = set(unknown) == {DEFAULT_POOL} and (settled or self.chosen(choice))
        if only_default or not unknown or not self._pools:
            return ""
        return (
            f"this node has no pool {unknown[0]} ({choice.why}), but {self}: name one of these, or "
            "give the node addresses of that one"
        )

    def _versions(self, pool: AddressPool) -> tuple[int, ...]:
        return pool.versions or tuple({network.version for network in pool.networks})

    def shortage(self, rested_since: float) -> str:
        """Why no pod can have an address of any pool, or nothing."""
        reasons: list[str] = []
        for pool in self._pools.values():
            short = self._short(pool, rested_since)
            if not short:
                return ""
            reasons += map(str, short)
        return "; ".join(reasons) or "this node has no network for its pods"

    def _short(self, pool: AddressPool, rested_since: float) -> list[PoolExhausted]:
        # A pool that says nothing of its families, and has no network, is short of both.
        versions = self._versions(pool) or VERSIONS[:1]
        short = (self._families[pool.name, v].exhausted(rested_since) for v in sorted(versions))
        return [one for one in short if one is not None]

    def empty(self, choice: PoolChoice) -> PoolExhausted:
        """Why there is nothing to be had of pools that have no networks."""
        pools = (self._pools.get(choice.of(version)) for version in VERSIONS)
        found = (one for pool in pools if pool is not None for one in self._short(pool, 0.0))
        nothing = PoolExhausted("this node has no network for its pods", pool=choice.ipv4, size=0)
        return next(found, nothing)

    def __str__(self) -> str:
        """Return the pools with their networks, the first of them if there are many."""
        return ", ".join(map(_described, self._pools.values())) or "none"


def _described(pool: AddressPool) -> str:
    named = [str(network) for network in pool.networks[:_NETWORKS_NAMED]]
    more = len(pool.networks) - len(named)
    return f"{pool} ({', '.join(named + [f'{more} more'] * bool(more)) or 'without networks'})"


class _Networks:
    """Networks that do not overlap, found by an address of theirs."""

    def __init__(self) -> None:
        self._firsts: dict[int, list[int]] = {version: [] for version in VERSIONS}
        self._sorted: dict[int, list[Network]] = {version: [] for version in VERSIONS}

    def add(self, network: Network) -> None:
        first = int(network.network_address)
        at = bisect_right(self._firsts[network.version], first)
        self._firsts[network.version].insert(at, first)
        self._sorted[network.version].insert(at, network)

    def overlapping(self, network: Network) -> Network | None:
        # None overlap each other, so that the last one that begins before our end decides.
        found = self._before(network.version, int(network.broadcast_address))
        return found if found is not None and found.overlaps(network) else None

    def find(self, address: Address) -> Network | None:
        found = self._before(address.version, int(address))
        return found if found is not None and address in found else None

    def _before(self, version: int, value: int) -> Network | None:
        at = bisect_right(self._firsts[version], value)
        return self._sorted[version][at - 1] if at else None
