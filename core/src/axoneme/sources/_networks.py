# SPDX-License-Identifier: Apache-2.0
"""Networks that must not overlap, found by the addresses that they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from axoneme.model.node import Network

T = TypeVar("T")


class Networks(Generic[T]):
    """A mapping of networks, by version and prefix length."""

    def __init__(self) -> None:
        self._by_length: dict[tuple[int, int], dict[Network, T]] = {}

    def add(self, network: Network, value: T) -> None:
        """Take a network in."""
        key = network.version, network.prefixlen
        self._by_length.setdefault(key, {})[network] = value

    def overlapping(self, network: Network) -> tuple[Network, T] | None:
        """A network that has an address in common with this one, and its value."""
        for (version, length), networks in self._by_length.items():
            if version != network.version:
                continue
            if length <= network.prefixlen:
                wider = network.supernet(new_prefix=length)
                if wider in networks:
                    return wider, networks[wider]
                continue
            for one, value in networks.items():
                if one.overlaps(network):
                    return one, value
        return None
