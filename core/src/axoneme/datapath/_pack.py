# SPDX-License-Identifier: Apache-2.0
"""Python objects into packed keys and values: the loop over them runs in C."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from axoneme._bpf import ffi, lib
from axoneme.errors import MapError

from ._layout import path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._layout import Field, Layout, Record

#: The keys and the values of some rows.
Packed: TypeAlias = tuple[bytearray, bytearray]

_KINDS = {"le": lib.AXN_LE, "be": lib.AXN_BE, "signed": lib.AXN_SIGNED, "bytes": lib.AXN_BYTES}
_CHUNK = 4096  # an object is read twice, for key and value: the second time from the cache
_KEY, _VALUE, _ITEM = 0, 1, lib.AXN_ITEM


@frozen
class Plan:
    """A record as C knows it; `kept` are the objects that it points to."""

    record: Any
    fields: Any
    kept: tuple[tuple[Any, ...], ...]


@cache
def plan_of(record: Record) -> Plan:
    """Return C's description of a record, made once."""
    rows = [(one.offset, one.size, _KINDS[one.kind]) for one in record.fields]
    names = tuple(one.name for one in record.fields)
    keys = tuple(path(one.name) for one in record.fields)
    attributes = tuple(path(one.source) for one in record.fields)
    fields = ffi.new("struct axn_field[]", rows)
    objects = (id(names), id(keys), id(attributes))
    made = ffi.new("struct axn_record *", (fields, len(rows), record.size, *objects))
    return Plan(made, fields, (names, keys, attributes))


def pack_keys(layout: Layout, keys: Iterable[Any]) -> bytearray:
    """Return packed keys; each is given as an object, a dict, bytes, or what a plain one holds.

    Raises:
        MapError: a key does not fit; the message names row, field and value.
    """
    items = tuple(keys)
    packed = bytearray(len(items) * layout.key.size)
    _pack(layout, layout.key, items, _ITEM, packed, 0)
    return trim(layout, packed)


def pack_rows(layout: Layout, rows: Iterable[Any] | Mapping[Any, Any]) -> Packed:
    """Return the packed keys and values of rows.

    A row is a pair (key, value), or one object or dict that has the fields of both.

    Raises:
        MapError: a row does not fit; the message names row, field and value.
    """
    items = tuple(rows.items() if hasattr(rows, "items") else rows)
    keys = bytearray(len(items) * layout.key.size)
    values = bytearray(len(items) * layout.value.size)
    with memoryview(keys) as some_keys, memoryview(values) as some_values:
        for first in range(0, len(items), _CHUNK):
            _pack(layout, layout.key, items, _KEY, some_keys, first)
            _pack(layout, layout.value, items, _VALUE, some_values, first)
    return trim(layout, keys), values


def trim(layout: Layout, keys: bytearray) -> bytearray:
    """Clear what does not count in the keys of a trie, so that equal prefixes are equal bytes."""
    if layout.trie:
        buffer = ffi.from_buffer(keys)
        lib.axn_trie_trim(buffer, layout.key.size, len(keys) // layout.key.size)
        ffi.release(buffer)
    return keys


def _pack(
    layout: Layout, record: Record, items: tuple[Any, ...], part: int, out: Any, first: int
) -> None:
    """Pack up to _CHUNK items; part says whether pairs give their first or their second."""
    count = min(len(items) - first, _CHUNK) if part != _ITEM else len(items)
    fault = ffi.new("struct axn_fault *")
    with ffi.from_buffer(out) as buffer:
        place = buffer + first * record.size
        failed = lib.axn_pack(plan_of(record).record, id(items), first, count, part, place, fault)
    if failed:
        item = items[fault.row]
        if part != _ITEM and type(item) is tuple and len(item) == len((_KEY, _VALUE)):
            item = item[part]
        raise _explain(layout, record, item, fault)


def _explain(layout: Layout, record: Record, item: Any, fault: Any) -> MapError:
    """Say what is wrong with a row, by reading the field once more."""
    where = f"row {fault.row}"
    if fault.field == lib.AXN_WHOLE:
        text = f"{where}: {_size(item)} instead of {record.size} for {record.ctype}"
        return MapError(text, map=layout.map)
    one = record.fields[fault.field]
    if fault.code == lib.AXN_MISSING:
        source = one.name if isinstance(item, dict) else one.source
        error = MapError(f"{where}: {item!r} has no {source!r}", map=layout.map)
        error.__cause__ = _cause(item, one)
        return error
    value = item if record.plain and isinstance(item, int) else _read(item, one)
    return MapError(f"{where}: {one.name} {_complaint(one, value, fault.code)}", map=layout.map)


def _complaint(one: Field, value: Any, code: int) -> str:
    if code == lib.AXN_RANGE:
        return f"{value} does not fit in {_bytes(one.size)}"
    if code == lib.AXN_LENGTH:
        return f"has {_size(bytes(value))} instead of {one.size}"
    kind = "bytes" if one.kind == "bytes" else "an integer"
    return f"{value!r} is not {kind}"


def _read(item: Any, one: Field) -> Any:
    """Read a field as C does."""
    if isinstance(item, dict) and one.name in item:
        return item[one.name]
    value = item
    for step in path(one.name if isinstance(item, dict) else one.source):
        by_key = isinstance(value, dict) or isinstance(step, int)
        value = value[step] if by_key else getattr(value, str(step))
    return value


def _cause(item: Any, one: Field) -> BaseException | None:
    try:
        _read(item, one)
    except Exception as error:  # noqa: BLE001 - whatever an attribute raises is the cause
        return error
    return None


def _size(data: Any) -> str:
    return _bytes(len(data))


def _bytes(count: int) -> str:
    return f"{count} byte{'' if count == 1 else 's'}"
