# SPDX-License-Identifier: Apache-2.0
"""Columns, one buffer for each field, into packed keys and values: the scattering runs in C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme._bpf import ffi, lib
from axoneme.errors import MapError, nearest

from ._pack import plan_of, trim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._layout import Field, Layout
    from ._pack import Packed


def pack_columns(layout: Layout, columns: Mapping[str, Any]) -> Packed:
    """Return the packed keys and values of columns by field.

    Integers come as array.array, memoryview or the like, with items of the field's size and in
    the machine's order; bytes as one row's bytes behind the other's. One int, or the bytes of one
    row, stand for all rows. The columns of plain records are called "key" and "value".

    Raises:
        MapError: a column is missing, unknown, of another length or has items of another size.
    """
    _check_names(layout, columns)
    count = _count(layout, columns)
    keys = bytearray(count * layout.key.size)
    values = bytearray(count * layout.value.size)
    for record, out in ((layout.key, keys), (layout.value, values)):
        with ffi.from_buffer(out) as buffer:
            for place, one in enumerate(record.fields):
                column, step = _column(layout, one, columns[one.name], count)
                plan = plan_of(record).fields + place
                with ffi.from_buffer(column) as data:
                    lib.axn_scatter(buffer, record.size, plan, data, step, count)
    return trim(layout, keys), values


def _check_names(layout: Layout, columns: Mapping[str, Any]) -> None:
    wanted = [one.name for one in layout.fields]
    for name in columns:
        if name not in wanted:
            meant = nearest(name, wanted)
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise MapError(f"there is no field {name!r} for this column{hint}", map=layout.map)
    for name in wanted:
        if wanted.count(name) > 1:
            raise MapError(f"key and value both have a field {name!r}", map=layout.map)
        if name not in columns:
            raise MapError(f"the column {name!r} is missing", map=layout.map)


def _count(layout: Layout, columns: Mapping[str, Any]) -> int:
    """Return how many rows the columns have: the longest says it, the others are checked."""
    sizes = {one.name: one.size for one in layout.fields}
    counts = [
        1 if isinstance(column, int) else memoryview(column).nbytes // sizes[name]
        for name, column in columns.items()
    ]
    return max(counts)


def _column(layout: Layout, one: Field, column: Any, count: int) -> tuple[Any, int]:
    """Return a column's bytes and the step from one row's to the next; 0: one for all rows."""
    if isinstance(column, int):
        return _constant(layout, one, column), 0
    view = memoryview(column)
    if one.kind != "bytes":
        _check_items(layout, one, view)
    if view.nbytes == count * one.size:
        return column, one.size
    if one.kind == "bytes" and view.nbytes == one.size:
        return column, 0
    text = f"the column {one.name!r} has {view.nbytes} bytes, not {count} rows of {one.size}"
    raise MapError(text, map=layout.map)


def _constant(layout: Layout, one: Field, value: int) -> bytes:
    if one.kind == "bytes":
        raise MapError(f"the column {one.name!r} takes bytes, not {value}", map=layout.map)
    try:
        return value.to_bytes(one.size, "little", signed=one.kind == "signed")
    except OverflowError as error:
        text = f"{one.name} {value} does not fit in {one.size} bytes"
        raise MapError(text, map=layout.map) from error


def _check_items(layout: Layout, one: Field, view: memoryview) -> None:
    signed = view.format.islower()
    if view.itemsize == one.size and signed == (one.kind == "signed"):
        return
    wanted = f"{'signed' if one.kind == 'signed' else 'unsigned'} items of {one.size} bytes"
    text = f"the column {one.name!r} has items {view.format!r} instead of {wanted}"
    raise MapError(text, map=layout.map)
