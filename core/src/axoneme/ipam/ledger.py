# SPDX-License-Identifier: Apache-2.0
"""The ledger of a node: gives each address once, keeps it for its owner, and lets it rest after.

What it decides is written before it is said: a ledger that is opened on the same directory, after
a restart of the agent or of the machine, goes on where this one ended.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import evolve

from axoneme.errors import StateError
from axoneme.ipam._books import Books
from axoneme.ipam._clock import Clock
from axoneme.ipam._planning import Time, Wish, plan
from axoneme.ipam._pools import Pools
from axoneme.ipam.allocation import Allocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from axoneme.ipam.store import AllocationStore
    from axoneme.model import Address, AddressPool, AddressRequest, AddressUsage, PoolChoice

#: How many addresses of a family are known to be released: of a wide network most never come again.
_REMEMBERED: Final = 1024
_NAMED: Final = 8
#: The earliest time of a release: 0.0 means that there was none.
_EARLIEST: Final = 0.001


class Ledger:
    """Who has which address of a node, for one thread.

    `quarantine` is how many seconds an address rests after its release; it may be set. `clock`
    tells seconds of Unix and may be set too: `steady` is never, and tells by how much it was.

    Every method that writes raises StateError if the directory cannot be written; then nothing
    has changed that was not written.
    """

    def __init__(
        self,
        store: AllocationStore,
        *,
        quarantine: float,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.quarantine = quarantine
        self._store = store
        self._clock = Clock(clock, steady)
        self._books = Books()
        #: How many addresses were given and taken back, by that word and IP version.
        self.events: Counter[tuple[str, int]] = Counter()
        self._problems: dict[str, str] = {}
        self._load()

    def _load(self) -> None:
        stored, now = self._store.read(), self._clock.now()
        self._problems = {problem.file: str(problem) for problem in stored.problems}
        self._books.load(stored.allocations, stored.withheld)
        for one in self._books.released():
            if one.released > now:  # the clock was set back meanwhile
                self._keep(evolve(one, released=now))

    def _now(self) -> float:
        """The time; if it was set, what rests goes on resting as it did."""
        shift = self._clock.set_by()
        if shift:
            for one in self._books.released():
                self._keep(evolve(one, released=max(one.released + shift, _EARLIEST)))
        return self._clock.now()

    def _time(self) -> Time:
        now = self._now()
        return Time(now, now - self.quarantine)

    def _keep(self, one: Allocation) -> None:
        self._store.replace(one)
        self._books.put(one)

    # Which addresses there are

    def set_pools(self, pools: Iterable[AddressPool]) -> None:
        """Give addresses of these pools from now on; whoever has one keeps it, of whatever pool.

        A network that overlaps one before it is left out and named in `problems`.
        """
        self._books.set_pools(Pools(pools))
        self._tidy()

    def stranded(self, pools: Iterable[AddressPool]) -> dict[str, tuple[Address, ...]]:
        """The pods that have addresses which would be of none of these pools, and the addresses.

        What others gave to pods counts only where it is of a pool now.
        """
        wanted = Pools(pools)
        found: dict[str, list[Address]] = {}
        in_use = [one.address for one in self._books.allocations.values() if one.in_use]
        in_use += [a for a in self._books.held if self._books.place(a) is not None]
        for address in sorted(in_use, key=_order):
            if wanted.find(address) is None:
                found.setdefault(self._books.holder(address), []).append(address)
        return {pod: tuple(addresses) for pod, addresses in sorted(found.items())}

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with entries, pools, and addresses that are of no pool."""
        self._see_removed()
        outside = sorted(self._books.outside(), key=_order)
        named = [f"{self._books.holder(a)} has {a}" for a in outside[:_NAMED]]
        named += [f"{len(outside) - _NAMED} more"] * (len(outside) > _NAMED)
        text = "addresses in use are of no pool of this node, and given to nobody after that: "
        strays = [text + ", ".join(named)] if named else []
        return (*self._problems.values(), *self._books.pools.problems, *strays)

    def _see_removed(self) -> None:
        """Give what was withheld again, once its entry is removed."""
        for file in [file for file in self._problems if not os.path.lexists(file)]:
            del self._problems[file]
            for address, problem in list(self._books.withheld.items()):
                if problem.file == file:
                    self._books.let_go(address)

    # Who has which

    def allocate(
        self,
        owner: str,
        request: AddressRequest,
        choice: PoolChoice,
        alive: Callable[[str], bool],
    ) -> tuple[Address, ...]:
        """Return an owner's addresses, IPv4 first: the same ones when asked again.

        It gets one of each family that the chosen pools have, or none at all. Those that it asks
        for may be of any pool. A pod whose earlier owner, the same device of another container,
        is not `alive` gets that one's addresses: so it keeps them when its node comes back.

        Raises:
            PoolExhausted: there is none left of a family.
            AddressRefused: it cannot have an address that it asks for, or the choice says so.
        """
        wish = Wish(owner, request, choice, alive)
        while not self._write(plan(self._books, wish, self._time())):
            self._load()  # somebody else has written there
        found = [one.address for one in self._books.of_owner(owner)]
        return tuple(sorted((*found, *self._books.held_by(owner)), key=_order))

    def _write(self, wanted: list[Allocation]) -> bool:
        """Write all of a plan or nothing; whether nobody else came in between."""
        written: list[Allocation] = []
        try:
            for one in wanted:
                if one.address in self._books.allocations:
                    self._store.replace(one)
                elif not self._store.claim(one):
                    self._undo(written)
                    return False
                written.append(one)
        except StateError:
            self._undo(written)
            raise
        for one in wanted:
            self._books.put(one)
            self.events["allocate", one.address.version] += 1
        return True

    def _undo(self, written: list[Allocation]) -> None:
        # What cannot be undone is found by who claims the address next, or by the next start.
        for one in written:
            before = self._books.allocations.get(one.address)
            with suppress(StateError):
                if before is None:
                    self._store.forget(one.address)
                else:
                    self._store.replace(before)

    def preview(self, request: AddressRequest, choice: PoolChoice) -> tuple[Address, ...]:
        """Return what a pod that has nothing yet would get now, IPv4 first; nothing is given.

        Raises the errors of `allocate`.
        """
        wish = Wish("", request, choice, lambda _: True)
        found = (one.address for one in plan(self._books, wish, self._time()))
        return tuple(sorted(found, key=_order))

    def release(self, owner: str) -> None:
        """Take back what an owner has, to rest; nothing happens if it has nothing."""
        now = self._now()
        for one in self._books.of_owner(owner):
            self._keep(evolve(one, released=now))
            self.events["release", one.address.version] += 1
        for address in self._books.held_by(owner):
            place = self._books.place(address)
            pool = "" if place is None else place.pool.name
            self._keep(Allocation(address, pool, owner, "", now, now))
            self._books.let_go(address)
        self._tidy()

    def hold(self, owner: str, addresses: Iterable[Address]) -> list[str]:
        """Say which addresses an owner has from others: they are in use, and nothing is stored.

        What somebody has already stays that one's; a sentence each says so.
        """
        self.let_go(owner)
        problems = []
        for address in addresses:
            holder = self._books.holder(address)
            one = self._books.allocations.get(address)
            if one is not None and one.in_use and owner in (one.owner, one.pod):
                continue
            if holder:
                problems.append(f"{owner} and {holder} both have {address}")
            else:
                self._books.hold(owner, address)
        return problems

    def let_go(self, owner: str) -> None:
        """Say that an owner has nothing from others any more."""
        for address in self._books.held_by(owner):
            self._books.let_go(address)

    def _tidy(self) -> None:
        """Forget released addresses that have rested: of no pool, or the oldest of very many."""
        rested_since = self._time().rested_since
        for address in self._books.excess(_REMEMBERED, rested_since):
            self._store.forget(address)
            self._books.forget(address)

    # What there is

    def usage(self) -> AddressUsage:
        """How many addresses of each network are in use, resting and free, and who has which."""
        self._see_removed()
        return self._books.usage(self._time().rested_since)

    def allocations(self) -> tuple[Allocation, ...]:
        """What is stored, in use or resting, by address."""
        rested_since = self._time().rested_since
        found = self._books.allocations.values()
        present = (one for one in found if one.in_use or one.released > rested_since)
        return tuple(sorted(present, key=lambda one: _order(one.address)))

    def unattended(self, alive: Callable[[str], bool]) -> tuple[Allocation, ...]:
        """What is in use by owners that are not alive, by address."""
        return tuple(o for o in self.allocations() if o.in_use and not alive(o.owner))

    def shortage(self) -> str:
        """Why no pod could have an address now, or nothing."""
        return self._books.pools.shortage(self._time().rested_since)


def _order(address: Address) -> tuple[int, int]:
    return address.version, int(address)
