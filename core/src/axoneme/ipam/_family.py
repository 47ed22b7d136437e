# SPDX-License-Identifier: Apache-2.0
"""One family of a pool: which of its addresses comes next."""

from __future__ import annotations

import math
from ipaddress import IPv4Address, IPv6Address
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from axoneme.errors import PoolExhausted
from axoneme.ipam._ranges import Ranges

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from axoneme.model import Address, AddressPool
    from axoneme.model.node import Network


class PoolFamily:
    """The addresses of one version of a pool, as numbers.

    Those that nobody had come first, then the one that was released the longest ago: what others
    still know of a pod does not meet the next. The search goes round once, and begins behind the
    highest that is known: nobody knows any more which addresses below it were had.
    """

    def __init__(self, pool: AddressPool, version: int, networks: Sequence[Network]) -> None:
        self.pool, self.version = pool, version
        self.networks = networks
        self.ranges = Ranges(pool, networks)
        self._kind: type[Address] = IPv4Address if version == 4 else IPv6Address
        self._used: set[int] = set()
        #: When each was released, the oldest first.
        self._released: dict[int, float] = {}
        #: Where the search began, and how many addresses it has passed.
        self._start = self._passed = 0
        #: Whether an address that it has passed is one that nobody had, again.
        self._missed = False

    def mark(self, value: int, *, used: bool, released: float) -> None:
        """Say what is known of an address: whether somebody has it, and when it was released.

        `released` is 0.0 for one that was not.
        """
        if used:
            self._used.add(value)
        else:
            self._used.discard(value)
        if self._released.get(value, 0.0) != released:
            self._released.pop(value, None)
            if released:
                self._released[value] = released
        self._missed = self._missed or not (used or released)

    def begin(self) -> None:
        """Begin the search behind the highest address that is known."""
        known = (self.ranges.place(value) for value in (*self._used, *self._released))
        highest = max((place for place in known if place is not None), default=-1)
        self._start = (highest + 1) % max(self.ranges.size, 1)
        self._passed, self._missed = 0, False

    def take(self, rested_since: float) -> Address:
        """The address that comes next, which stays where it is until it is marked as used.

        Those that were released after `rested_since` rest still.

        Raises:
            PoolExhausted: there is none.
        """
        value = self._next(rested_since)
        if value is None:
            raise self._exhausted(rested_since)
        return self._kind(value)

    def exhausted(self, rested_since: float) -> PoolExhausted | None:
        """Why nobody can have an address of it now, if that is so."""
        return None if self._next(rested_since) is not None else self._exhausted(rested_since)

    def _next(self, rested_since: float) -> int | None:
        fresh = self._fresh()
        if fresh is not None:
            return fresh
        value, released = next(self._reusable(), (None, 0.0))
        return value if released <= rested_since else None

    def _fresh(self) -> int | None:
        size = self.ranges.size
        while True:
            while self._passed < size:
                value = self.ranges.nth((self._start + self._passed) % size)
                if value not in self._used and value not in self._released:
                    return value
                self._passed += 1
            if not self._missed:
                return None
            self._passed, self._missed = 0, False

    def _reusable(self) -> Iterator[tuple[int, float]]:
        for value, released in self._released.items():
            if value not in self._used and self.ranges.place(value) is not None:
                yield value, released

    def excess(self, most: int, rested_since: float) -> list[Address]:
        """The oldest of the released addresses that have rested, if there are more than `most`."""
        oldest = islice(self._released.items(), max(len(self._released) - most, 0))
        rested = takewhile(lambda item: item[1] <= rested_since, oldest)
        return [self._kind(value) for value, _ in rested]

    def _exhausted(self, rested_since: float) -> PoolExhausted:
        size, family = self.ranges.size, f"IPv{self.version}"
        more = (
            "the node gets more in a moment, if the cluster's pool has any: try again"
            if self.pool.grows
            else "remove pods of this node, or give its pool more addresses"
        )
        if not self.networks:
            text = f"it has no {family} network on this node"
            return PoolExhausted(f"{text}: {more}", pool=self.pool.name, size=0)
        resting = [released for _, released in self._reusable()]
        text = f"no {family} address is free: {size - len(resting)} in use"
        if resting:
            seconds = math.ceil(resting[0] - rested_since)
            text += f", {len(resting)} resting, the next one for {seconds} more seconds"
        return PoolExhausted(f"{text}: {more}", pool=self.pool.name, size=size)
