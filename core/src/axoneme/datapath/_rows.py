# SPDX-License-Identifier: Apache-2.0
"""Rows of a map kept packed, as the kernel takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from attrs import AttrsInstance, fields

from axoneme._bpf import ffi, lib
from axoneme.errors import MapError

from ._columns import pack_columns
from ._pack import pack_keys, pack_rows, trim

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ._layout import Layout

T = TypeVar("T", bound=AttrsInstance)

_BATCH = 4096


class Rows:
    """The rows of a map, packed, found by key: what changes is encoded, the rest stays.

    Iterating gives pairs (key, value), decoded. The rows remember what was put and discarded
    since a Table last took it over (`Table.push`, `Table.reconcile`). Not for several threads
    at once.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        made = lib.axn_rows_new(layout.key.size, layout.value_size)
        if made == ffi.NULL:
            raise MemoryError
        #: The rows as C has them; only this package touches it.
        self.handle = ffi.gc(made, lib.axn_rows_free)

    def put(self, rows: Iterable[Any] | Mapping[Any, Any]) -> int:
        """Set rows; return how many are new or have another value than before.

        A row is a pair (key, value), or one object or dict that has the fields of both. Objects
        are read by attribute, bytes are taken as they are.

        Raises:
            MapError: a row does not fit; the message names row, field and value.
        """
        keys, values = pack_rows(self.layout, rows)
        return self.put_packed(keys, spread(self.layout, values))

    def put_columns(self, columns: Mapping[str, Any]) -> int:
        """Set rows from one buffer for each field; return how many are new or changed.

        Raises:
            MapError: a column is missing, unknown, of another length or has other items.
        """
        keys, values = pack_columns(self.layout, columns)
        return self.put_packed(keys, spread(self.layout, values))

    def put_packed(self, keys: Any, values: Any) -> int:
        """Set rows from packed keys and values; return how many are new or changed."""
        count, rest = divmod(len(keys), self.layout.key.size)
        if rest or len(values) != count * self.layout.value_size:
            text = f"{len(keys)} bytes of keys and {len(values)} of values are no whole rows"
            raise MapError(text, map=self.layout.map)
        with ffi.from_buffer(keys) as some_keys, ffi.from_buffer(values) as some_values:
            return _result(lib.axn_rows_put(self.handle, some_keys, some_values, count))

    def discard(self, keys: Iterable[Any]) -> int:
        """Remove the rows of these keys; return how many there were."""
        packed = pack_keys(self.layout, keys)
        with ffi.from_buffer(packed) as some:
            count = len(packed) // self.layout.key.size
            return _result(lib.axn_rows_discard(self.handle, some, count))

    def clear(self) -> int:
        """Remove all rows; return how many there were."""
        keys = b"".join(keys for keys, _ in self.batches())
        return _result(lib.axn_rows_discard(self.handle, keys, len(self)))

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, decoded, or the default."""
        row = self._find(key)
        if row < 0:
            return default
        size = self.layout.value_size
        return self.layout.decode_value(ffi.buffer(self.handle.values + row * size, size)[:])

    def batches(self, size: int = _BATCH) -> Iterator[tuple[bytes, bytes]]:
        """Return packed keys and values of up to `size` rows at a time."""
        _result(lib.axn_rows_index(self.handle))
        for first in range(0, len(self), size):
            count = min(size, len(self) - first)
            yield (
                _copy(self.handle.keys, self.layout.key.size, first, count),
                _copy(self.handle.values, self.layout.value_size, first, count),
            )

    def key_at(self, row: int) -> Any:
        """Return the key of a row by its number, decoded."""
        return self.layout.key.decode(_copy(self.handle.keys, self.layout.key.size, row, 1))

    def load(self, keys: Any, values: Any, count: int) -> None:
        """Append rows from C's memory that are no change of these rows."""
        _result(lib.axn_rows_append(self.handle, keys, values, count))
        lib.axn_rows_settle(self.handle)

    def objects(self, kind: type[T]) -> Iterator[T]:
        """Return each row as an object of an attrs class, by the attributes of its fields."""
        layout = self.layout
        if layout.cpus:
            raise MapError("has values per CPU: read it summed", map=layout.map)
        wanted = {one.name: one.alias for one in fields(kind) if one.init}
        sources = [one.source for one in layout.fields]
        for keys, values in self.batches():
            for row in range(len(keys) // layout.key.size):
                found = layout.key.values(keys, row * layout.key.size)
                found += layout.value.values(values, row * layout.value_size)
                given = zip(sources, found, strict=True)
                yield kind(**{wanted[name]: value for name, value in given if name in wanted})

    def copy(self) -> Rows:
        """Return the same rows again; all of them count as put."""
        made = Rows(self.layout)
        for keys, values in self.batches():
            made.put_packed(keys, values)
        return made

    @property
    def pending(self) -> int:
        """How many rows were put or discarded and not yet taken over by a Table."""
        pending = lib.AXN_PENDING
        marked = lib.axn_rows_marked(self.handle, pending, pending, ffi.NULL, 0)
        return int(marked) + _result(lib.axn_rows_gone(self.handle))

    def __len__(self) -> int:
        _result(lib.axn_rows_index(self.handle))
        return int(self.handle.count)

    def __contains__(self, key: Any) -> bool:
        return self._find(key) >= 0

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for keys, values in self.batches():
            yield from self.layout.decode(keys, values)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same rows, in whatever order."""
        if not isinstance(other, Rows):
            return NotImplemented
        return bool(_result(lib.axn_rows_same(self.handle, other.handle)))

    __hash__ = None  # type: ignore[assignment]  # rows change

    def __repr__(self) -> str:
        return f"<{len(self)} rows of {self.layout.map}>"

    def _find(self, key: Any) -> int:
        with ffi.from_buffer(pack_keys(self.layout, (key,))) as packed:
            _result(lib.axn_rows_index(self.handle))
            return int(lib.axn_rows_find(self.handle, packed))


def adopt(layout: Layout, rows: Rows) -> Rows:
    """Return the rows in the form that a map takes: themselves, where they have it.

    Raises:
        MapError: they are another map's rows.
    """
    found = rows.layout
    if (found.map, found.key.size, found.value.size) != (
        layout.map,
        layout.key.size,
        layout.value.size,
    ):
        raise MapError(f"these are rows of {found.map}", map=layout.map)
    if (found.trie, found.cpus) == (layout.trie, layout.cpus):
        _result(lib.axn_rows_index(rows.handle))
        return rows
    made = Rows(layout)
    for keys, values in rows.batches():
        made.put_packed(trim(layout, bytearray(keys)), spread(layout, bytearray(values)))
    return made


def spread(layout: Layout, values: bytearray) -> bytearray:
    """Return single values as a per-CPU map takes them: the first CPU's, and zeros."""
    if not layout.cpus:
        return values
    count = len(values) // layout.value.size
    out = bytearray(count * layout.value_size)
    with ffi.from_buffer(out) as to, ffi.from_buffer(values) as some:
        lib.axn_spread(to, some, layout.value.size, layout.stride, layout.cpus, count)
    return out


def _result(code: int) -> int:
    """Return a count of C; all that can fail there is memory."""
    if code < 0:
        raise MemoryError
    return code


def _copy(start: Any, size: int, first: int, count: int) -> bytes:
    return bytes(ffi.buffer(start + first * size, count * size))
