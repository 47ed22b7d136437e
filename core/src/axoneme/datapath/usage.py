# SPDX-License-Identifier: Apache-2.0
"""How full maps are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from axoneme._bpf import ffi, lib

from ._kernel import check, map_info

if TYPE_CHECKING:
    from ._kernel import MapInfo

#: A bigger map is not walked, only to say how full it is: that takes longer than people wait.
_MOST = 1 << 17
_BATCH = 4096
_PER_CPU = {lib.BPF_MAP_TYPE_PERCPU_HASH, lib.BPF_MAP_TYPE_LRU_PERCPU_HASH}
_FILLING = {lib.BPF_MAP_TYPE_HASH, lib.BPF_MAP_TYPE_LPM_TRIE, lib.BPF_MAP_TYPE_PERCPU_HASH}
_EVICTING = {lib.BPF_MAP_TYPE_LRU_HASH, lib.BPF_MAP_TYPE_LRU_PERCPU_HASH}


@frozen
class Usage:
    """Entries of a map: `used` is None where nobody counted, or every entry is always there.

    One that is `evicting` forgets old entries when it is full; any other refuses new ones.
    """

    max_entries: int
    used: int | None = None
    evicting: bool = False

    @property
    def pressure(self) -> float | None:
        """The share of its entries that are in use, 0 to 1; None where `used` is."""
        return None if self.used is None else self.used / self.max_entries


def usage_of(fd: int) -> Usage:
    """Count the entries of a map."""
    info = map_info(fd)
    evicting = info.type in _EVICTING
    if info.type not in _FILLING | _EVICTING or info.max_entries > _MOST:
        return Usage(info.max_entries, None, evicting)
    return Usage(info.max_entries, _count(fd, info), evicting)


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
