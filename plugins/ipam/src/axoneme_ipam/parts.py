# SPDX-License-Identifier: Apache-2.0
"""Parts of a pool: what nodes get at a time, which of them are taken, and which comes next.

A pool may have more parts than there are grains of sand: they are counted and taken as ranges,
and only those that are given are made.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from itertools import chain
from typing import TYPE_CHECKING

from attrs import define, field

from .ranges import between, common, length, merged, range_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.model import FamilyPool, Network, PodIPPool

    from .ranges import Range


@define(eq=False)
class NetworkParts:
    """The parts of one network of a pool, each known by its place in it."""

    network: Network
    mask_size: int
    #: Parts that no pod could have an address of.
    unusable: list[Range] = field(factory=list)
    _taken: list[Range] = field(factory=list, init=False)
    first: int = field(init=False)
    last: int = field(init=False)
    _bits: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.first, self.last = range_of(self.network)
        self._bits = self.network.max_prefixlen - self.mask_size

    def places(self, first: int, last: int) -> Range:
        """The parts that have addresses of a range, which has some in common with the network."""
        low, high = max(first, self.first), min(last, self.last)
        return low - self.first >> self._bits, high - self.first >> self._bits

    def addresses(self, place: int) -> Range:
        """The first and the last address of a part."""
        first = self.first + (place << self._bits)
        return first, first + (1 << self._bits) - 1

    def take(self, first: int, last: int) -> None:
        """Some node has these addresses: nobody else gets a part that has one of them."""
        self._taken.append(self.places(first, last))

    @property
    def count(self) -> int:
        """How many parts nodes can have."""
        return (1 << self.mask_size - self.network.prefixlen) - length(self.unusable)

    @property
    def taken(self) -> int:
        """How many of them nodes have."""
        return length(merged((*self._taken, *self.unusable))) - length(self.unusable)

    def free(self) -> Iterator[int]:
        """The first addresses of parts that nobody has, in order."""
        blocked = merged((*self._taken, *self.unusable))
        for place in between(blocked, 1 << self.mask_size - self.network.prefixlen):
            yield self.first + (place << self._bits)


@define(eq=False)
class Share:
    """One family of a pool: its parts, and how many addresses are in each."""

    pool: str
    version: int
    mask_size: int
    networks: tuple[NetworkParts, ...]
    usable: Callable[[int, int], int]
    has_reserved: bool
    _sizes: dict[int, int] = field(factory=dict, init=False)
    _next: Iterator[int] = field(init=False)
    #: Parts that were given since it was made.
    given: list[Network] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        # A network is asked what is free when its turn comes: then all that is taken is known.
        self._next = chain.from_iterable(network.free() for network in self.networks)

    @classmethod
    def of(cls, pool: PodIPPool, version: int, family: FamilyPool) -> Share:
        """The parts of a pool; of networks that cannot be parted there are none."""
        reserved = merged((int(one.first), int(one.last)) for one in family.reserved)

        def usable(first: int, last: int) -> int:
            if last - first > 1:
                first += not pool.allow_first
                last -= not pool.allow_last
            return last - first + 1 - common(reserved, first, last)

        parted = [
            NetworkParts(network, family.mask_size)
            for network in dict.fromkeys(family.networks)
            if network.prefixlen <= family.mask_size <= network.max_prefixlen
            and not is_inside(network, family)
        ]
        for network in parted:
            network.unusable = merged(_unusable(network, reserved, usable))
        return cls(pool.name, version, family.mask_size, tuple(parted), usable, bool(reserved))

    @property
    def parts(self) -> int:
        """How many parts nodes can have."""
        return sum(network.count for network in self.networks)

    @property
    def taken(self) -> int:
        """How many parts nodes have, those that were given since included."""
        return sum(network.taken for network in self.networks) + len(self.given)

    def addresses_of(self, network: Network) -> int:
        """How many pods can have an address of a network."""
        if self.has_reserved:
            return self.usable(*range_of(network))
        length = network.prefixlen
        if length not in self._sizes:
            self._sizes[length] = self.usable(*range_of(network))
        return self._sizes[length]

    def give(self) -> Network | None:
        """The next part, or None if there is none left."""
        first = next(self._next, None)
        if first is None:
            return None
        kind = IPv4Network if self.version == 4 else IPv6Network
        part = kind((first, self.mask_size))
        self.given.append(part)
        return part


def is_inside(network: Network, family: FamilyPool) -> bool:
    """Whether a network is a part of another one of its pool."""
    return any(other != network and other.supernet_of(network) for other in family.networks)  # type: ignore[arg-type]


def _unusable(
    network: NetworkParts, reserved: list[Range], usable: Callable[[int, int], int]
) -> Iterator[Range]:
    """Parts of which all that pods could have is reserved."""
    for first, last in reserved:
        if last < network.first or first > network.last:
            continue
        low, high = network.places(first, last)
        low += usable(*network.addresses(low)) > 0
        high -= usable(*network.addresses(high)) > 0
        if low <= high:
            yield low, high
