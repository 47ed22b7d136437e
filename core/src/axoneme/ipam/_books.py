# SPDX-License-Identifier: Apache-2.0
"""What is known of a node's addresses, in memory: it follows the store, and decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.ipam._pools import Pools
from axoneme.model import AddressUsage, NetworkUsage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from axoneme.errors import Problem
    from axoneme.ipam._pools import Place
    from axoneme.ipam.allocation import Allocation
    from axoneme.model import Address


class Books:
    """Allocations by address, owner and pod, beside addresses that are in use and not stored.

    Those are `held` by owners whom others gave them, or `withheld` by an entry that cannot be read.
    """

    def __init__(self) -> None:
        self.pools = Pools(())
        self.allocations: dict[Address, Allocation] = {}
        self.held: dict[Address, str] = {}
        self.withheld: dict[Address, Problem] = {}
        self._by_owner: dict[str, dict[Address, None]] = {}
        self._by_pod: dict[str, dict[Address, None]] = {}
        self._places: dict[Address, Place | None] = {}
        #: Addresses of no pool that were released.
        self._strays: dict[Address, None] = {}

    def load(self, allocations: Iterable[Allocation], withheld: Mapping[Address, Problem]) -> None:
        """Begin anew with what is stored; who holds an address still does."""
        self.allocations = {one.address: one for one in allocations}
        self.withheld = dict(withheld)
        self._by_owner, self._by_pod = {}, {}
        for one in self.allocations.values():
            self._index(one)
        self.set_pools(self.pools)

    def set_pools(self, pools: Pools) -> None:
        """Take on other pools, or the same ones anew."""
        self.pools, self._places, self._strays = pools, {}, {}
        for address in sorted(self._known(), key=self._when_released):
            self._mark(address)
        for family in pools.families:
            family.begin()

    def _known(self) -> set[Address]:
        return {*self.allocations, *self.held, *self.withheld}

    def _when_released(self, address: Address) -> float:
        one = self.allocations.get(address)
        return 0.0 if one is None else one.released

    def put(self, one: Allocation) -> None:
        """Say what is stored of an address now."""
        old = self.allocations.get(one.address)
        if old is not None:
            self._unindex(old)
        self.allocations[one.address] = one
        self._index(one)
        self._mark(one.address)

    def forget(self, address: Address) -> None:
        """Say that nothing is stored of an address any more."""
        self._unindex(self.allocations.pop(address))
        self._mark(address)

    def hold(self, owner: str, address: Address) -> None:
        """Say that an owner has an address that is not stored."""
        self.held[address] = owner
        self._mark(address)

    def let_go(self, address: Address) -> None:
        """Say that nobody has an address that was held or withheld."""
        self.held.pop(address, None)
        self.withheld.pop(address, None)
        self._mark(address)

    def _index(self, one: Allocation) -> None:
        if one.in_use:
            self._by_owner.setdefault(one.owner, {})[one.address] = None
            self._by_pod.setdefault(one.pod, {})[one.address] = None

    def _unindex(self, one: Allocation) -> None:
        for index, key in ((self._by_owner, one.owner), (self._by_pod, one.pod)):
            found = index.get(key, {})
            found.pop(one.address, None)
            if not found:
                index.pop(key, None)

    def _mark(self, address: Address) -> None:
        """Tell the family of an address what is known of it."""
        if address not in self._places:
            self._places[address] = self.pools.find(address)
        place = self._places[address]
        used = bool(self.holder(address))
        released = self._when_released(address)
        if place is not None:
            place.family.mark(int(address), used=used, released=released)
        elif released and not used:
            self._strays[address] = None
        else:
            self._strays.pop(address, None)
        if not (used or released):
            del self._places[address]

    def place(self, address: Address) -> Place | None:
        """The network of an address; None if it is of no pool."""
        if address in self._places:
            return self._places[address]
        return self.pools.find(address)

    def holder(self, address: Address) -> str:
        """Who has an address: the pod, or what else is known; "" if nobody does."""
        one = self.allocations.get(address)
        if one is not None and one.in_use:
            return one.pod or one.owner
        if address in self.held:
            return self.held[address]
        return "an entry that cannot be read" if address in self.withheld else ""

    def of_owner(self, owner: str) -> list[Allocation]:
        """What an owner has by the store, IPv4 first."""
        found = [self.allocations[address] for address in self._by_owner.get(owner, ())]
        return sorted(found, key=lambda one: one.address.version)

    def held_by(self, owner: str) -> list[Address]:
        """What an owner has beside the store, IPv4 first."""
        found = [address for address, holder in self.held.items() if holder == owner]
        return sorted(found, key=lambda address: address.version)

    def of_pod(self, pod: str) -> list[Allocation]:
        """What a pod has by the store, whoever is its owner."""
        return [self.allocations[address] for address in self._by_pod.get(pod, ())]

    def released(self) -> list[Allocation]:
        """What is stored of addresses that nobody has, the oldest release first."""
        found = (one for one in self.allocations.values() if not one.in_use)
        return sorted(found, key=lambda one: one.released)

    def excess(self, most: int, rested_since: float) -> list[Address]:
        """Released addresses that have rested and need not be known.

        They are of no pool, though there are some, or the oldest where there are more than `most`.
        """
        found = [a for family in self.pools.families for a in family.excess(most, rested_since)]
        strays = self._strays if self.pools.places else ()
        return [*found, *(a for a in strays if self._when_released(a) <= rested_since)]

    def outside(self) -> Iterator[Address]:
        """Addresses in use that are of no pool.

        A node without networks gives none: what its pods hold is others' business.
        """
        for address, place in self._places.items():
            ours = address in self.allocations or self.pools.places
            if place is None and ours and self.holder(address):
                yield address

    def usage(self, rested_since: float) -> AddressUsage:
        """Count by network; what was released after `rested_since` rests."""
        used: dict[Address, str] = {}
        counts = dict.fromkeys(self.pools.places.values(), (0, 0, 0))
        for address, place in self._places.items():
            holder = self.holder(address)
            if holder:
                used[address] = holder
            rests = not holder and self._when_released(address) > rested_since
            if place is not None and (holder or rests):
                before = counts[place]
                given = before[2] + place.gives(address)
                counts[place] = before[0] + bool(holder), before[1] + rests, given
        networks = (
            NetworkUsage(place.pool.name, place.network, in_use, resting, place.size - given)
            for place, (in_use, resting, given) in counts.items()
        )
        return AddressUsage(tuple(networks), used)
