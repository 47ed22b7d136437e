# SPDX-License-Identifier: Apache-2.0
"""The bytes of a map's keys and values: which field lies where, and how they are read back."""

from __future__ import annotations

import re
import struct
from functools import cached_property
from sys import intern
from typing import TYPE_CHECKING, Any, Protocol

from attrs import evolve, frozen

from axoneme.errors import MapError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PADDING = re.compile(r"(?:.*\.)?(?:pad|reserved|_+)\d*(?:\[\d+\])*")
_STEP = re.compile(r"[^.\[\]]+")
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_PER_CPU_ALIGNMENT = 8


class Codec(Protocol):
    """What the module has that a plugin's build generates for its maps."""

    MAPS: Mapping[str, tuple[str, str, str, int]]
    FIELDS: Mapping[str, tuple[tuple[str, int, int, str], ...]]
    SIZES: Mapping[str, int]


@frozen
class Field:
    """One field of a record; `source` is the attribute, or dotted path, that it is read from.

    The name of a plain record's field is "key" or "value".
    """

    name: str
    offset: int
    size: int
    kind: str
    source: str

    @property
    def code(self) -> str:
        """The field's letter for struct; network order is turned round afterwards."""
        if self.kind in {"bytes", "be"}:
            return f"{self.size}s"
        return _CODES[self.size].lower() if self.kind == "signed" else _CODES[self.size]


@frozen(cache_hash=True)
class Record:
    """A key or a value: its size and those of its fields that carry something.

    Fields named pad, reserved or _ (and a number) are filling: they are zero, and nothing reads
    them. A record that is no struct is plain: one integer, or only bytes.
    """

    ctype: str
    size: int
    fields: tuple[Field, ...]
    plain: bool = False

    def decode(self, data: Any, offset: int = 0) -> Any:
        """Return the record at this place: a dict by field, or what a plain one holds."""
        values = self.values(data, offset)
        return values[0] if self.plain else dict(zip(self._names, values, strict=True))

    def values(self, data: Any, offset: int = 0) -> list[Any]:
        """Return what the fields of the record at this place hold, in their order."""
        values = list(self._struct.unpack_from(data, offset))
        for place in self._swapped:
            values[place] = int.from_bytes(values[place], "big")
        return values

    @cached_property
    def _struct(self) -> struct.Struct:
        text, at = "=", 0
        for one in self.fields:
            text += f"{one.offset - at}x{one.code}"
            at = one.offset + one.size
        return struct.Struct(f"{text}{self.size - at}x")

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields)

    @cached_property
    def _swapped(self) -> tuple[int, ...]:
        return tuple(place for place, one in enumerate(self.fields) if one.kind == "be")


@frozen
class Layout:
    """What the rows of a map look like. Made once for a map, from its codec.

    `trie` says that the keys are prefixes, and `cpus` how many values each row of a per-CPU map
    has (0: it is none). A Table finds both out by itself.
    """

    map: str
    key: Record
    value: Record
    hash: str = ""
    number: int = 0
    trie: bool = False
    cpus: int = 0

    @classmethod
    def of(
        cls,
        codec: Codec,
        name: str,
        *,
        key: Mapping[str, str] | None = None,
        value: Mapping[str, str] | None = None,
    ) -> Layout:
        """Return the layout of a map in a plugin's codec.

        `key` and `value` name, for a field, the attribute of a row's object that it is read from,
        where the two differ; a dotted path leads into nested objects. A plain key is the field
        "key", a plain value "value".

        Raises:
            MapError: the codec does not know the map, or a field does not exist.
        """
        if name not in codec.MAPS:
            known = ", ".join(sorted(codec.MAPS)) or "none"
            raise MapError(f"the codec does not know it; it has {known}", map=name)
        key_type, value_type, layout_hash, number = codec.MAPS[name]
        return cls(
            name,
            _record(codec, name, key_type, "key", key or {}),
            _record(codec, name, value_type, "value", value or {}),
            layout_hash,
            number,
        )

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of the key, then those of the value."""
        return self.key.fields + self.value.fields

    @property
    def stride(self) -> int:
        """The bytes from one CPU's value to the next."""
        return self.value.size + (-self.value.size % _PER_CPU_ALIGNMENT if self.cpus else 0)

    @property
    def value_size(self) -> int:
        """The bytes of a row's value, on all CPUs."""
        return self.stride * max(self.cpus, 1)

    @property
    def summed(self) -> Layout:
        """The same rows with one value instead of one for each CPU."""
        return evolve(self, cpus=0)

    def decode_value(self, data: Any, offset: int = 0) -> Any:
        """Return the value at this place; of a per-CPU map a tuple with one for each CPU."""
        if not self.cpus:
            return self.value.decode(data, offset)
        places = range(offset, offset + self.value_size, self.stride)
        return tuple(self.value.decode(data, place) for place in places)

    def decode(self, keys: Any, values: Any) -> Iterator[tuple[Any, Any]]:
        """Return each row of packed keys and values as a pair (key, value)."""
        for row in range(len(keys) // self.key.size):
            key = self.key.decode(keys, row * self.key.size)
            yield key, self.decode_value(values, row * self.value_size)


def path(text: str) -> tuple[str | int, ...]:
    """Return the steps of a dotted path such as a.b[2]: attributes or keys, and indices."""
    return tuple(int(step) if step.isdigit() else intern(step) for step in _STEP.findall(text))


def _record(codec: Codec, name: str, ctype: str, role: str, sources: Mapping[str, str]) -> Record:
    rows = [(row[0] or role, *row[1:]) for row in codec.FIELDS[ctype]]
    _check_sources(name, ctype, [row[0] for row in rows], sources)
    fields = [
        Field(*row, source=sources.get(row[0], row[0]))
        for row in rows
        if row[0] in sources or not _PADDING.fullmatch(row[0])
    ]
    for one in fields:
        if one.kind != "bytes" and one.size not in _CODES:
            raise MapError(f"{ctype}: {one.name} is an integer of {one.size} bytes", map=name)
    plain = [row[0] for row in codec.FIELDS[ctype]] == [""]
    return Record(ctype, codec.SIZES[ctype], tuple(fields), plain)


def _check_sources(name: str, ctype: str, known: list[str], sources: Mapping[str, str]) -> None:
    for one in sources:
        if one not in known:
            meant = nearest(one, known)
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise MapError(f"{ctype} has no field {one!r}{hint}", map=name)
