# SPDX-License-Identifier: Apache-2.0
"""How many entries the maps have whose need grows with the machine: by its memory."""

from __future__ import annotations

import os

#: Of each such map: entries beside a machine's others, and the bytes that the kernel takes for one.
_DYNAMIC = {"conntrack": (786_432, 144)}
LEAST_ENTRIES, MOST_ENTRIES = 1 << 16, 1 << 24


def machine_memory() -> int:
    """The bytes of memory that the machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def dynamic_entries(memory: int, ratio: float) -> dict[str, int]:
    """The entries of each map that shares a part of the memory.

    The part is divided by what the maps take at their usual sizes; each gets a least and a most.

    Raises:
        ValueError: the ratio is no part of the whole.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"the ratio must be 0 to 1, not {ratio}")
    usual = sum(entries * size for entries, size in _DYNAMIC.values())
    share = int(memory * ratio)
    return {
        name: min(max(share * entries // usual, LEAST_ENTRIES), MOST_ENTRIES)
        for name, (entries, _) in _DYNAMIC.items()
    }
