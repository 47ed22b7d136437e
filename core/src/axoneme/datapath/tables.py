# SPDX-License-Identifier: Apache-2.0
"""Maps of the kernel as tables of packed rows: written, read and compared in batches.

`Layout` says which field lies where, `Rows` keeps rows packed, `Table` is one map. Maps are
compared and written without an object for each row; objects are made for what leaves.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from attrs import evolve

from axoneme._bpf import ffi, lib
from axoneme.errors import KeyNotFound, LayoutMismatch, MapError

from ._columns import pack_columns
from ._drift import Drift, drift_of
from ._kernel import map_info
from ._layout import Field, Layout, Record
from ._pack import pack_keys, pack_rows, plan_of
from ._refusals import Refusals
from ._rows import Rows, adopt, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Drift", "Field", "Layout", "Record", "Rows", "Table"]

_BATCH = 4096  # rows that one call of the kernel takes: more are no faster
_ARRAYS = {lib.BPF_MAP_TYPE_ARRAY, lib.BPF_MAP_TYPE_PERCPU_ARRAY}
_PER_CPU = {
    lib.BPF_MAP_TYPE_PERCPU_HASH,
    lib.BPF_MAP_TYPE_PERCPU_ARRAY,
    lib.BPF_MAP_TYPE_LRU_PERCPU_HASH,
}


class Table:
    """One map of the kernel. Its file descriptor stays the caller's.

    `setting` is where the configuration sets how many entries the map has, for the error that
    says so when it is full.
    """

    def __init__(self, fd: int, layout: Layout, *, setting: str = "") -> None:
        info = map_info(fd)
        found, wanted = (info.key_size, info.value_size), (layout.key.size, layout.value.size)
        if found != wanted:
            raise LayoutMismatch(
                "its keys or values have another size than the codec says",
                map=layout.map,
                expected="{} + {} bytes".format(*wanted),
                found="{} + {} bytes".format(*found),
            )
        cpus = lib.libbpf_num_possible_cpus() if info.type in _PER_CPU else 0
        self.layout = evolve(layout, trie=info.type == lib.BPF_MAP_TYPE_LPM_TRIE, cpus=cpus)
        self.fd = fd
        self.max_entries = info.max_entries
        self._array = info.type in _ARRAYS
        self._refusals = Refusals(layout.map, info.max_entries, setting, array=self._array)
        flags = (lib.AXN_TRIE if self.layout.trie else 0) | (lib.AXN_ARRAY if self._array else 0)
        sizes = (layout.key.size, self.layout.value_size, info.max_entries)
        self._map = ffi.new("struct axn_map *", (fd, *sizes, flags, _BATCH))

    def rows(self, rows: Iterable[Any] | Mapping[Any, Any] = ()) -> Rows:
        """Return rows for this table, to keep and to reconcile or push."""
        made = Rows(self.layout)
        made.put(rows)
        return made

    def write(self, rows: Rows | Iterable[Any] | Mapping[Any, Any]) -> int:
        """Set rows in the map and leave its others; return how many were written.

        Rows are given packed, or as `Rows.put` takes them. All are encoded before the first is
        written. In a per-CPU map a single value becomes the first CPU's, the others are zero.

        Raises:
            MapFull: the map has no room; the message says how many rows landed.
            MapError: a row does not fit, or the kernel refused.
        """
        if isinstance(rows, Rows):
            own = adopt(self.layout, rows)
            return self._write(own.handle.keys, own.handle.values, len(own))
        return self._write_packed(*pack_rows(self.layout, rows))

    def write_columns(self, columns: Mapping[str, Any]) -> int:
        """Set rows given as one buffer for each field; return how many were written.

        Raises:
            MapFull: the map has no room; the message says how many rows landed.
            MapError: a column does not fit, or the kernel refused.
        """
        return self._write_packed(*pack_columns(self.layout, columns))

    def delete(self, keys: Iterable[Any]) -> int:
        """Remove the rows of these keys; return how many there were. An array's become zero."""
        packed = pack_keys(self.layout, keys)
        with ffi.from_buffer(packed) as some:
            return self._delete(some, len(packed) // self.layout.key.size)

    def clear(self) -> int:
        """Remove all rows; return how many there were."""
        rows = self.read()
        return self._delete(rows.handle.keys, len(rows))

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, decoded, or the default; per CPU where the map is."""
        value = bytearray(self.layout.value_size)
        with (
            ffi.from_buffer(pack_keys(self.layout, (key,))) as packed,
            ffi.from_buffer(value) as to,
        ):
            code = lib.bpf_map_lookup_elem(self.fd, packed, to)
        if code == -errno.ENOENT:
            return default
        self._refusals.check(code, "read")
        return self.layout.decode_value(value)

    def __getitem__(self, key: Any) -> Any:
        """Return the value of a key, decoded, or raise KeyNotFound."""
        value = self.get(key)
        if value is None:
            raise KeyNotFound(f"there is no row {key!r}", map=self.layout.map)
        return value

    def read(self, *, summed: bool = False) -> Rows:
        """Return all rows of the map.

        The rows of a per-CPU map have a value for each CPU; `summed` adds them up. While others
        write, each row that stays is there once, with its value of some moment in between.
        """
        rows = Rows(self.layout)
        self._refusals.check(lib.axn_map_read(self._map, rows.handle), "read")
        return self._sum(rows) if summed and self.layout.cpus else rows

    def scan(self) -> Iterator[Rows]:
        """Return the rows of the map a batch at a time: for a map of which nobody wants a copy.

        While others write, each row that stays is there once.

        Raises:
            MapError: the kernel refused, or the map changes too fast to be read.
        """
        walk = lib.axn_walk_open(self._map)
        if walk == ffi.NULL:
            raise MemoryError
        try:
            more = 1
            while more:
                rows = Rows(self.layout)
                more = lib.axn_walk_next(walk, rows.handle)
                self._refusals.check(min(more, 0), "read")
                yield rows
        finally:
            lib.axn_walk_close(walk)

    def count(self) -> int:
        """Return how many rows there are; every row of an array always is."""
        return self.max_entries if self._array else sum(map(len, self.scan()))

    def reconcile(self, desired: Rows, *, dry: bool = False) -> Drift:
        """Make the map hold exactly the desired rows; return what differed.

        The map is read back and compared, and only the difference is written: first what
        changed, then what goes, at last what is new, for which there is room then. With `dry`
        nothing is written.

        Raises:
            MapFull: there are more desired rows than the map has entries.
            MapError: the map is per CPU, or the kernel refused.
        """
        if self.layout.cpus:
            raise MapError("is per CPU: what it holds is the kernel's own", map=self.layout.map)
        own, stale, drift = self._compare(desired)
        if not dry:
            self._write_marked(own, lib.AXN_SEEN | lib.AXN_DIFFERS, lib.AXN_SEEN | lib.AXN_DIFFERS)
            self._delete(stale.handle.keys, len(stale))
            self._write_marked(own, lib.AXN_SEEN, 0)
            lib.axn_rows_settle(desired.handle)
        return drift

    def reconcile_keys(self, keys: Iterable[Any]) -> Drift:
        """Make the map hold exactly these keys, whatever their values; return what differed.

        For values that programs write, such as counters: those of keys that stay are not touched,
        those of new keys are zero.

        Raises:
            MapFull: there are more keys than the map has entries.
            MapError: a key does not fit, or the kernel refused.
        """
        packed = pack_keys(self.layout, keys)
        desired = Rows(self.layout)
        desired.put_packed(
            packed, bytes(len(packed) // self.layout.key.size * self.layout.value_size)
        )
        own, stale, drift = self._compare(desired)
        self._delete(stale.handle.keys, len(stale))
        self._write_marked(own, lib.AXN_SEEN, 0)
        kept = tuple(example for example in drift.examples if example[0] != "changed")
        return evolve(drift, changed=0, examples=kept)

    def _compare(self, desired: Rows) -> tuple[Rows, Rows, Drift]:
        """Read the map back: the desired rows with marks, the rows to remove, and what differs."""
        own, stale = adopt(self.layout, desired), Rows(self.layout)
        code = lib.axn_map_compare(self._map, own.handle, stale.handle)
        self._refusals.check(code, "read")
        return own, stale, drift_of(own, stale)

    def push(self, rows: Rows) -> int:
        """Write what was put into the rows and discarded from them since the last time.

        Returns how many rows were written and removed. What the map holds beside is not looked
        at. After an error all of it is still pending.

        Raises:
            MapFull: the map has no room; the message says how many rows landed.
            MapError: the rows were not made for this table (`Table.rows`), or the kernel refused.
        """
        if adopt(self.layout, rows) is not rows:
            raise MapError("the rows are of another form: use Table.rows", map=self.layout.map)
        gone = lib.axn_rows_gone(rows.handle)
        removed = self._delete(rows.handle.gone, gone)
        written = self._write_marked(rows, lib.AXN_PENDING, lib.AXN_PENDING)
        lib.axn_rows_settle(rows.handle)
        return removed + written

    def _write_packed(self, keys: bytearray, values: bytearray) -> int:
        wide = spread(self.layout, values)
        with ffi.from_buffer(keys) as some_keys, ffi.from_buffer(wide) as some_values:
            return self._write(some_keys, some_values, len(keys) // self.layout.key.size)

    def _write(self, keys: Any, values: Any, count: int) -> int:
        done = ffi.new("uint32_t *")
        code = lib.axn_map_write(self._map, keys, values, count, done)
        self._refusals.check(code, "write", done[0], count)
        return int(done[0])

    def _write_marked(self, rows: Rows, mask: int, marks: int) -> int:
        done = ffi.new("uint32_t *")
        code = lib.axn_map_write_marked(self._map, rows.handle, mask, marks, done)
        if code:
            count = lib.axn_rows_marked(rows.handle, mask, marks, ffi.NULL, 0)
            self._refusals.check(code, "write", done[0], count)
        return int(done[0])

    def _delete(self, keys: Any, count: int) -> int:
        if self._array:
            with ffi.from_buffer(bytearray(count * self.layout.value_size)) as zeros:
                return self._write(keys, zeros, count)
        done = ffi.new("uint32_t *")
        code = lib.axn_map_delete(self._map, keys, count, done)
        self._refusals.check(code, "remove", done[0], count)
        return int(done[0])

    def _sum(self, rows: Rows) -> Rows:
        layout, count = self.layout, len(rows)
        made, values = Rows(layout.summed), bytearray(count * layout.value.size)
        fields, field_count = plan_of(layout.value).fields, len(layout.value.fields)
        with ffi.from_buffer(values) as to:
            lib.axn_sum(
                *(to, rows.handle.values, layout.value.size, layout.stride, layout.cpus, count),
                *(fields, field_count),
            )
            made.load(rows.handle.keys, to, count)
        return made
