# SPDX-License-Identifier: Apache-2.0
"""Ranges of whole numbers, both ends included: addresses, or parts by their place in a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.model import Network

Range: TypeAlias = tuple[int, int]


def range_of(network: Network) -> Range:
    """The first and the last address of a network, as numbers."""
    first = int(network.network_address)
    return first, first + (1 << network.max_prefixlen - network.prefixlen) - 1


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same numbers in order, in as few ranges as can be."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def length(ranges: Iterable[Range]) -> int:
    """How many numbers merged ranges have."""
    return sum(last - first + 1 for first, last in ranges)


def common(ranges: Iterable[Range], first: int, last: int) -> int:
    """How many numbers merged ranges have in common with another one."""
    return sum(max(0, min(high, last) - max(low, first) + 1) for low, high in ranges)


def between(ranges: Iterable[Range], count: int) -> Iterator[int]:
    """The numbers from 0 that are below `count` and in none of these merged ranges, in order."""
    start = 0
    for first, last in ranges:
        yield from range(start, first)
        start = last + 1
    yield from range(start, count)
