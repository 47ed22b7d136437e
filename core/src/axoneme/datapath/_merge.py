# SPDX-License-Identifier: Apache-2.0
"""Rows carried from another layout into a map that programs may be writing already.

A row that the map has not is inserted, never put over one that came in the meantime. One that it
has is replaced only where the carried one is later. Nobody else may delete by a decision of before:
no collection runs meanwhile.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from axoneme._bpf import ffi, lib
from axoneme.errors import MapFull

from ._kernel import check, map_info

if TYPE_CHECKING:
    from .converters import Order
    from .tables import Rows, Table

_ATTEMPTS = 4  # a row that goes and comes while it is looked at
_ARRAYS = {lib.BPF_MAP_TYPE_ARRAY}


def merge(table: Table, rows: Rows, order: Order | None, *, idle: bool) -> tuple[int, int]:
    """Write rows into a map; return how many were, and how many found no room.

    idle: nobody else has the map, so that they go there in batches.
    """
    present = table.read()
    if idle and (map_info(table.fd).type in _ARRAYS or not len(present)):
        return _fill(table, rows)
    target = _Target(table, order)
    # Putting them over a copy of what is there marks those that are new or differ.
    for keys, values in rows.batches():
        present.put_packed(keys, values)
    for key, value in _pending(present):
        target.put(key, value)
    return target.written, target.full


def _fill(table: Table, rows: Rows) -> tuple[int, int]:
    try:
        return table.write(rows), 0
    except MapFull:
        there = len(table.read())
        return there, len(rows) - there


def _pending(rows: Rows) -> list[tuple[bytes, bytes]]:
    count = rows.pending
    some = ffi.new("uint32_t[]", max(count, 1))
    lib.axn_rows_marked(rows.handle, lib.AXN_PENDING, lib.AXN_PENDING, some, count)
    key, value = rows.layout.key.size, rows.layout.value_size
    return [
        (
            bytes(ffi.buffer(rows.handle.keys + row * key, key)),
            bytes(ffi.buffer(rows.handle.values + row * value, value)),
        )
        for row in some[0:count]
    ]


class _Target:
    """The map that is written, one row at a time."""

    def __init__(self, table: Table, order: Order | None) -> None:
        self._fd = table.fd
        self._order = order
        self._array = map_info(table.fd).type in _ARRAYS
        self._found = ffi.new("char[]", table.layout.value_size)
        self.written = self.full = 0

    def put(self, key: bytes, value: bytes) -> None:
        """Write a row, unless the map has a later one or no room."""
        for _ in range(_ATTEMPTS):
            code = lib.bpf_map_lookup_elem(self._fd, key, self._found)
            if code == -errno.ENOENT:
                flag, race = lib.BPF_NOEXIST, -errno.EEXIST
            elif check(code) or not self._later(value):
                return
            else:
                flag, race = lib.BPF_ANY if self._array else lib.BPF_EXIST, -errno.ENOENT
            code = lib.bpf_map_update_elem(self._fd, key, value, flag)
            if code == -errno.E2BIG:
                self.full += 1
                return
            if code != race:
                check(code)
                self.written += 1
                return

    def _later(self, value: bytes) -> bool:
        """Whether a row is later than the one found under its key."""
        there: Any = bytes(ffi.buffer(self._found))
        if self._array and not any(there):
            return True  # an array's row that nobody has written
        if self._order is None:
            return False
        found = self._order.of(there)
        return bool(found) and self._order.of(value) > found
