# SPDX-License-Identifier: Apache-2.0
"""Masks of ports: the few prefix lengths that a look-up probes, from the narrowest to any."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from axoneme.model.policy import HIGHEST_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTHS: Final = (16, 8, 0)
_BLOCK: Final = 256


class Mask(NamedTuple):
    """Ports of a protocol that share the first `length` bits; protocol 0 is any."""

    proto: int
    port: int
    length: int


ANYTHING: Final = Mask(0, 0, 0)


@lru_cache(maxsize=4096)
def range_masks(proto: int, first: int, last: int) -> tuple[Mask, ...]:
    """Return the masks that hold the ports from first to last and no other, at most 764."""
    if proto == 0:
        return (ANYTHING,)
    if (first, last) == (0, HIGHEST_PORT):
        return (Mask(proto, 0, 0),)
    return tuple(_range(proto, first, last))


def _range(proto: int, first: int, last: int) -> Iterator[Mask]:
    port = first
    while port <= last:
        if port % _BLOCK == 0 and port + _BLOCK - 1 <= last:
            yield Mask(proto, port, 8)
            port += _BLOCK
        else:
            yield Mask(proto, port, 16)
            port += 1


@lru_cache(maxsize=65536)
def wider(mask: Mask) -> tuple[Mask, ...]:
    """Return a mask and those that hold all of it, from the narrowest."""
    if mask.proto == 0:
        return (ANYTHING,)
    lengths = (length for length in LENGTHS if length <= mask.length)
    return (*(_cut(mask.proto, mask.port, length) for length in lengths), ANYTHING)


def probes(proto: int, port: int) -> tuple[Mask, ...]:
    """Return the masks that a look-up probes for a packet, in order."""
    return wider(Mask(proto, port, 16)) if proto else (ANYTHING,)


def _cut(proto: int, port: int, length: int) -> Mask:
    return Mask(proto, port & (0xFFFF << (16 - length)) & 0xFFFF, length)
