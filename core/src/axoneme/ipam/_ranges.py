# SPDX-License-Identifier: Apache-2.0
"""The addresses that a pool may give, as ranges: a network of any size costs the same."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.model import Address, AddressPool
    from axoneme.model.node import Network

#: A network of so few addresses is for point to point, and has none of a special meaning.
_ALL_USABLE: Final = 2


def refusal(pool: AddressPool, network: Network, address: Address) -> str:
    """Why a pool never gives an address of a network of its own, or nothing."""
    for reserved in pool.reserved:
        if address in reserved:
            return f"is reserved in pool {pool} ({reserved})"
    value, first, last = int(address), *_ends(network)
    usable_first, usable_last = _usable(pool, network)
    if value == first < usable_first:
        return f"is the first of {network}, which means the network"
    if value == last > usable_last:
        return f"is the last of {network}, to which IPv4 broadcasts"
    return ""


class Ranges:
    """Addresses of one family as numbers, in the order in which they are given."""

    def __init__(self, pool: AddressPool, networks: Iterable[Network]) -> None:
        self._spans = [span for network in networks for span in _spans(pool, network)]
        self._ends = list(accumulate(last - first + 1 for first, last in self._spans))
        self._sorted = sorted((first, place) for place, (first, _) in enumerate(self._spans))
        self.size = self._ends[-1] if self._ends else 0

    def nth(self, number: int) -> int:
        """The address at a place, which counts from 0."""
        place = bisect_right(self._ends, number)
        return self._spans[place][1] - (self._ends[place] - 1 - number)

    def place(self, value: int) -> int | None:
        """The place of an address; None if it is not among them."""
        at = bisect_right(self._sorted, (value, len(self._spans))) - 1
        if at < 0:
            return None
        index = self._sorted[at][1]
        last = self._spans[index][1]
        return None if value > last else self._ends[index] - 1 - (last - value)


def usable_size(pool: AddressPool, network: Network) -> int:
    """How many addresses of a network a pool may give."""
    return sum(last - first + 1 for first, last in _spans(pool, network))


def _ends(network: Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)


def _usable(pool: AddressPool, network: Network) -> tuple[int, int]:
    first, last = _ends(network)
    if last - first < _ALL_USABLE:
        return first, last
    return first + (not pool.allow_first), last - (not pool.allow_last)


def _spans(pool: AddressPool, network: Network) -> Iterator[tuple[int, int]]:
    """What is left of a network between its reserved ranges, in order."""
    first, last = _usable(pool, network)
    reserved = sorted(
        (int(one.first), int(one.last))
        for one in pool.reserved
        if one.first.version == network.version
    )
    for start, end in reserved:
        if end < first:
            continue
        if start > last:
            break
        if first < start:
            yield first, start - 1
        first = end + 1
    if first <= last:
        yield first, last
