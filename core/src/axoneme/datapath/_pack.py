# SPDX-License-Identifier: Apache-2.0
"""Python objects into packed keys and values: the loop over them runs in C."""

from __future__ import annotations

from functools import cache
from sys import intern
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
_PAIR = 2


@frozen
class Plan:
    """A record as C knows it; `kept` are the objects that it points to."""

    record: Any
    fields: Any
    kept: tuple[Any, ...]


@cache
def plan_of(record: Record) -> Plan:
    """Return C's description of a record, made once."""
    fields = ffi.new("struct axn_field[]", len(record.fields))
    kept: list[Any] = []
    for made, one in zip(fields, record.fields, strict=True):
        name, keys, attributes = intern(one.name), path(one.name), path(one.source)
        made.offset, made.size, made.kind = one.offset, one.size, _KINDS[one.kind]
        made.name, made.keys, made.attributes = id(name), id(keys), id(attributes)
        if len(attributes) == 1 and isinstance(attributes[0], str):
            made.attribute = id(attributes[0])
        kept += name, keys, attributes
    described = ffi.new("struct axn_record *", (fields, len(record.fields), record.size))
    return Plan(described, fields, tuple(kept))


def pack_keys(layout: Layout, keys: Iterable[Any]) -> bytearray:
    """Return packed keys; each is given as an object, a dict, bytes, or what a plain one holds.

    Raises:
        MapError: a key does not fit; the message names row, field and value.
    """
    items = tuple(keys)
    packed = bytearray(len(items) * layout.key.size)
    fault = ffi.new("struct axn_fault *")
    key = plan_of(layout.key).record
    with ffi.from_buffer(packed) as to:
        failed = lib.axn_pack(id(items), key, to, ffi.NULL, ffi.NULL, fault)
    if failed:
        raise _explain(layout, items[fault.row], fault)
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
    fault = ffi.new("struct axn_fault *")
    key, value = plan_of(layout.key).record, plan_of(layout.value).record
    with ffi.from_buffer(keys) as some_keys, ffi.from_buffer(values) as some_values:
        failed = lib.axn_pack(id(items), key, some_keys, value, some_values, fault)
    if failed:
        item = items[fault.row]
        pair = type(item) is tuple and len(item) == _PAIR
        raise _explain(layout, item[fault.part] if pair else item, fault)
    return trim(layout, keys), values


def trim(layout: Layout, keys: bytearray) -> bytearray:
    """Clear what does not count in the keys of a trie, so that equal prefixes are equal bytes."""
    if layout.trie:
        with ffi.from_buffer(keys) as buffer:
            lib.axn_trie_trim(buffer, layout.key.size, len(keys) // layout.key.size)
    return keys


def _explain(layout: Layout, item: Any, fault: Any) -> MapError:
    """Say what is wrong with a key or a value, by reading the field once more."""
    record = layout.value if fault.part else layout.key
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
