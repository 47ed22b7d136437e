# SPDX-License-Identifier: Apache-2.0
"""Maps as the kernel has them, byte by byte, whatever their codec makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme._bpf import ffi, lib
from axoneme.datapath._kernel import map_info

if TYPE_CHECKING:
    from axoneme.datapath import Datapath

_PER_CPU = {lib.BPF_MAP_TYPE_PERCPU_HASH, lib.BPF_MAP_TYPE_PERCPU_ARRAY}


def dump(datapath: Datapath) -> dict[str, dict[bytes, bytes]]:
    """Every row of every map of a datapath."""
    maps = datapath.maps
    return {name: dump_map(maps.descriptor(name)) for name in maps.names}


def dump_map(fd: int) -> dict[bytes, bytes]:
    """Every row of a map; of a per-CPU map a row has the values of all CPUs."""
    info = map_info(fd)
    size = info.value_size
    if info.type in _PER_CPU:
        size = (size + 7) // 8 * 8 * lib.libbpf_num_possible_cpus()
    key, value = ffi.new("char[]", info.key_size), ffi.new("char[]", size)
    rows, before = {}, ffi.NULL
    while lib.bpf_map_get_next_key(fd, before, key) == 0:
        assert lib.bpf_map_lookup_elem(fd, key, value) == 0
        rows[bytes(ffi.buffer(key))] = bytes(ffi.buffer(value))
        before = key
    return rows
