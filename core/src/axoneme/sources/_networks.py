# SPDX-License-Identifier: Apache-2.0
"""Networks that must not overlap, found by the addresses that they have in common."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from axoneme.model.node import Network

T = TypeVar("T")


class Networks(Generic[T]):
    """A mapping of networks, by version and prefix length.

    Of thousands of networks one that overlaps is found by a few look-ups: a wider one by each
    length that there is, a narrower one by its first address, which is in order.
    """

    def __init__(self) -> None:
        self._by_length: dict[tuple[int, int], dict[int, tuple[Network, T]]] = {}
        #: By version, the first address and the length of each.
        self._in_order: dict[int, list[tuple[int, int]]] = {4: [], 6: []}

    def add(self, network: Network, value: T) -> None:
        """Take a network in, or give one that is in another value."""
        first, length = int(network.network_address), network.prefixlen
        same = self._by_length.setdefault((network.version, length), {})
        if first not in same:
            insort(self._in_order[network.version], (first, length))
        same[first] = network, value

    def overlapping(self, network: Network) -> tuple[Network, T] | None:
        """A network that has an address in common with this one, and its value."""
        first, bits = int(network.network_address), network.max_prefixlen
        for (version, length), networks in self._by_length.items():
            if version == network.version and length <= network.prefixlen:
                wider = networks.get(first >> (bits - length) << (bits - length))
                if wider is not None:
                    return wider
        ordered = self._in_order[network.version]
        at = bisect_left(ordered, (first, network.prefixlen))
        if at < len(ordered) and ordered[at][0] < first + (1 << (bits - network.prefixlen)):
            start, length = ordered[at]
            return self._by_length[network.version, length][start]
        return None
