# SPDX-License-Identifier: Apache-2.0
"""Packed rows of one layout of a map into rows of another, column by column, by field name.

What only the new layout has becomes zero, what only the old one had is left out. A row that cannot
be said in the new layout, since a number does not fit or its key had more to it, is left behind:
half of it would be another row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from axoneme._bpf import ffi, lib
from axoneme_sdk.codec import flatten

from ._layout import Field, Layout, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme_sdk.btf import Btf

_KINDS = {"le": lib.AXN_LE, "be": lib.AXN_BE, "signed": lib.AXN_SIGNED, "bytes": lib.AXN_BYTES}


@frozen
class Converted:
    """Rows of the new layout, and how many had no form in it."""

    keys: bytearray
    values: bytearray
    left: int


def layout_from(btf: Btf, name: str, number: int, key: int, value: int) -> Layout:
    """Return a map's layout by its types. Padding is a field here as any other: keys hold it."""
    records = (_record(btf, key), _record(btf, value))
    return Layout(name, *records, btf.layout_hash(key, value), number)


def _record(btf: Btf, type_id: int) -> Record:
    rows = flatten(btf, type_id)
    fields = tuple(Field(*row, source=row[0]) for row in rows)
    return Record(
        btf.strip(type_id).name, btf.sizeof(type_id), fields, [r[0] for r in rows] == [""]
    )


def convert(old: Layout, new: Layout, keys: Any, values: Any) -> Converted:
    """Return rows of another layout, in the order in which they came."""
    count = len(keys) // old.key.size
    new_keys, misfits = _records(old.key, new.key, keys, count)
    for one in old.key.fields:
        if _partner(one, new.key) is None:
            misfits |= _filled(gather(old.key, one, keys, count), one.size)
    new_values, more = _records(old.value, new.value, values, count)
    misfits |= more
    if misfits:
        stay = [row for row in range(count) if row not in misfits]
        new_keys = pick(new_keys, new.key.size, stay)
        new_values = pick(new_values, new.value.size, stay)
    return Converted(new_keys, new_values, len(misfits))


def pick(packed: Any, size: int, rows: Iterable[int]) -> bytearray:
    """Return those of packed records."""
    return bytearray(b"").join(bytes(packed[row * size : row * size + size]) for row in rows)


def gather(record: Record, one: Field, packed: Any, count: int) -> bytearray:
    """Return a field of each record, one behind the other, integers in the machine's order."""
    out = bytearray(count * one.size)
    if count:
        with ffi.from_buffer(packed) as some, ffi.from_buffer(out) as to:
            spot = _spot(0, one.size, one.kind)
            lib.axn_scatter(to, one.size, spot, some + one.offset, record.size, count)
    return out


def _records(old: Record, new: Record, packed: Any, count: int) -> tuple[bytearray, set[int]]:
    """Return new records with what both have, and the rows of which something does not fit."""
    out = bytearray(count * new.size)
    misfits: set[int] = set()
    for one in new.fields:
        source = _partner(one, old)
        if source is None or not count:
            continue
        column, more = _resize(gather(old, source, packed, count), source, one, count)
        misfits |= more
        with ffi.from_buffer(out) as to, ffi.from_buffer(column) as some:
            spot = _spot(one.offset, one.size, one.kind)
            lib.axn_scatter(to, new.size, spot, some, one.size, count)
    return out, misfits


def _partner(one: Field, record: Record) -> Field | None:
    """The field of that name in another record, if it is of the same nature."""
    found = [f for f in record.fields if f.name == one.name]
    if found and (found[0].kind == "bytes") == (one.kind == "bytes"):
        return found[0]
    return None


def _resize(column: bytearray, old: Field, new: Field, count: int) -> tuple[bytearray, set[int]]:
    """Return a column with items of another size, and the rows whose items do not fit."""
    if old.size == new.size and (old.kind == "signed") == (new.kind == "signed"):
        return column, set()
    if "signed" in (old.kind, new.kind):
        return _resize_signed(column, old, new, count)
    misfits: set[int] = set()
    if old.size > new.size:
        rest = old.size - new.size
        misfits = _filled(_part(column, old.size, new.size, rest, count), rest)
    small = min(old.size, new.size)
    out = bytearray(count * new.size)
    with ffi.from_buffer(column) as some, ffi.from_buffer(out) as to:
        lib.axn_scatter(to, new.size, _spot(0, small, "bytes"), some, old.size, count)
    return out, misfits


def _resize_signed(
    column: bytearray, old: Field, new: Field, count: int
) -> tuple[bytearray, set[int]]:
    """One item after the other: signs are rare in maps."""
    out, misfits = bytearray(), set()
    for row in range(count):
        item = column[row * old.size : row * old.size + old.size]
        number = int.from_bytes(item, "little", signed=old.kind == "signed")
        try:
            out += number.to_bytes(new.size, "little", signed=new.kind == "signed")
        except OverflowError:
            out += bytes(new.size)
            misfits.add(row)
    return out, misfits


def _part(column: bytearray, size: int, offset: int, length: int, count: int) -> bytearray:
    """Some bytes of each item of a column."""
    out = bytearray(count * length)
    with ffi.from_buffer(column) as some, ffi.from_buffer(out) as to:
        lib.axn_scatter(to, length, _spot(0, length, "bytes"), some + offset, size, count)
    return out


def _filled(column: bytearray, size: int) -> set[int]:
    """The items of a column that are not zero."""
    if column.count(0) == len(column):
        return set()
    return {at // size for at, byte in enumerate(column) if byte}


def _spot(offset: int, size: int, kind: str) -> Any:
    return ffi.new("struct axn_field *", {"offset": offset, "size": size, "kind": _KINDS[kind]})
