# SPDX-License-Identifier: Apache-2.0
"""How full maps are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from axoneme._bpf import ffi, lib

from ._kernel import check, map_info

if TYPE_CHECKING:
    from ._kernel import MapInfo

#: A bigger map is not walked, only to say how full it is: its rows are copied for that.
_MOST = 1 << 17
_BATCH = 4096
_PER_CPU = {lib.BPF_MAP_TYPE_PERCPU_HASH, lib.BPF_MAP_TYPE_LRU_PERCPU_HASH}
_FILLING = {lib.BPF_MAP_TYPE_HASH, lib.BPF_MAP_TYPE_LPM_TRIE, lib.BPF_MAP_TYPE_PERCPU_HASH}
_EVICTING = {lib.BPF_MAP_TYPE_LRU_HASH, lib.BPF_MAP_TYPE_LRU_PERCPU_HASH}


@frozen
class Usage:
    """Entries of a map: `used` is None where nobody counted, or every entry is always there.

    One that is `evicting` forgets old entries when it is full; any other refuses new ones.
    `counted` is the time.monotonic() of the count.
    """

    max_entries: int
    used: int | None = None
    evicting: bool = False
    counted: float | None = None

    @property
    def pressure(self) -> float | None:
        """The share of its entries that are in use, 0 to 1; None where `used` is."""
        return None if self.used is None else self.used / self.max_entries


def size_of(fd: int) -> Usage:
    """What a map has room for; nothing is counted."""
    info = map_info(fd)
    return Usage(info.max_entries, evicting=info.type in _EVICTING)


def usage_of(fd: int) -> Usage:
    """Count the entries of a map, if it can be full and is not too big for that."""
    info, usage = map_info(fd), size_of(fd)
    if info.type not in _FILLING | _EVICTING or info.max_entries > _MOST:
        return usage
    return evolve(usage, used=_count(fd, info), counted=time.monotonic())


def _count(fd: int, info: MapInfo) -> int:
    cpus = lib.libbpf_num_possible_cpus() if info.type in _PER_CPU else 0
    size = (info.value_size + 7) // 8 * 8 * cpus if cpus else info.value_size
    flags = lib.AXN_TRIE if info.type == lib.BPF_MAP_TYPE_LPM_TRIE else 0
    described = (fd, info.key_size, size, info.max_entries, flags, _BATCH)
    rows = lib.axn_rows_new(info.key_size, size)
    if rows == ffi.NULL:
        raise MemoryError
    try:
        check(lib.axn_map_read(ffi.new("struct axn_map *", described), rows))
        return int(rows.count)
    finally:
        lib.axn_rows_free(rows)
