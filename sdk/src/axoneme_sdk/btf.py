# SPDX-License-Identifier: Apache-2.0
"""Read BTF: types, maps, layouts and declaration tags; rename and tag a function.

The format is Documentation/bpf/btf.rst of the Linux kernel. Type ids count from 1; 0 is void.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import cached_property

_KINDS = [
    "void",
    "int",
    "ptr",
    "array",
    "struct",
    "union",
    "enum",
    "fwd",
    "typedef",
    "volatile",
    "const",
    "restrict",
    "func",
    "func_proto",
    "var",
    "datasec",
    "float",
    "decl_tag",
    "type_tag",
    "enum64",
]
_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_TRIPLE = struct.Struct("<III")
_MAGIC = 0xEB9F
#: Where type_len, str_off and str_len stand in the header.
_TYPES_LENGTH_AT, _STRINGS_OFFSET_AT, _STRINGS_LENGTH_AT = 12, 16, 20
_DECL_TAG, _WHOLE = 17, -1  # a tag of a declaration, not of one of its components
#: Bytes for each of a type's vlen rows, and bytes that follow a type once.
_ROW = {"struct": 12, "union": 12, "enum": 8, "func_proto": 8, "datasec": 12, "enum64": 12}
_ONCE = {"int": 4, "array": 12, "var": 4, "decl_tag": 4}
_QUALIFIERS = frozenset({"typedef", "const", "volatile", "restrict", "type_tag"})
_BIG_ENDIAN = frozenset({"__be16", "__be32", "__be64"})
_SIGNED, _BOOL = 1, 4
_EXTERN = 2
_POINTER = 8

TAG_PREFIX = "axn:"


class BtfError(ValueError):
    """The bytes are no BTF, or they lack what was asked for: compile with clang -g."""


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a struct or union; offset and bits (0 unless a bit field) in bits."""

    name: str
    type: int
    offset: int
    bits: int


@dataclass(frozen=True, slots=True)
class Type:
    """One type. size: bytes, or for the kinds that refer to another type, its id."""

    id: int
    kind: str
    name: str
    size: int
    flag: bool
    at: int
    rest: bytes


@dataclass(frozen=True, slots=True)
class MapDefinition:
    """A map of the .maps section; numbers are those of __uint, key and value type ids (or 0)."""

    name: str
    numbers: dict[str, int]
    key: int
    value: int
    extern: bool
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a data section; offset and size in bytes."""

    name: str
    offset: int
    size: int
    type: int
    tags: tuple[tuple[str, str], ...]


class Btf:
    """The types of one object."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        try:
            self._read()
        except BtfError:
            raise
        except (struct.error, IndexError, ValueError) as error:
            raise BtfError(f"truncated or corrupt BTF: {error}") from error

    def _read(self) -> None:
        magic, _, _, header, types, length, strings, size = _HEADER.unpack_from(self.data)
        if magic != _MAGIC:
            raise BtfError("not BTF")
        self._strings, self._strings_size = header + strings, size
        self.types = [Type(0, "void", "void", 0, False, 0, b"")]
        at, end = header + types, header + types + length
        self._types_end = end
        while at < end:
            name, info, third = _TYPE.unpack_from(self.data, at)
            kind, vlen = _KINDS[info >> 24 & 31], info & 0xFFFF
            more = _ONCE.get(kind) or _ROW.get(kind, 0) * vlen
            rest = self.data[at + 12 : at + 12 + more]
            flag = bool(info >> 31)
            self.types.append(
                Type(len(self.types), kind, self._string(name), third, flag, at, rest)
            )
            at += 12 + more

    def _string(self, offset: int) -> str:
        start = self._strings + offset
        return self.data[start : self.data.index(0, start)].decode()

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Type]:
        return {(t.kind, t.name): t for t in reversed(self.types)}

    @cached_property
    def _tags(self) -> dict[int, list[tuple[str, str]]]:
        found: dict[int, list[tuple[str, str]]] = {}
        for t in self.types:
            if t.kind == "decl_tag" and t.name.startswith(TAG_PREFIX):
                key, _, value = t.name.removeprefix(TAG_PREFIX).partition("=")
                found.setdefault(t.size, []).append((key, value))
        return found

    def find(self, kind: str, name: str) -> Type:
        """The first type of this kind and name.

        Raises:
            BtfError: there is none.
        """
        try:
            return self._by_name[kind, name]
        except KeyError:
            raise BtfError(f"no {kind} {name} in the BTF") from None

    def has(self, kind: str, name: str) -> bool:
        """Whether there is such a type."""
        return (kind, name) in self._by_name

    def members(self, t: Type) -> list[Member]:
        """The fields of a struct or union."""
        rows = _TRIPLE.iter_unpack(t.rest)
        if t.flag:
            return [Member(self._string(n), i, o & 0xFFFFFF, o >> 24) for n, i, o in rows]
        return [Member(self._string(n), i, o, 0) for n, i, o in rows]

    def enumerators(self, name: str) -> dict[str, int]:
        """The names and numbers of an enum of 32 bits."""
        rows = struct.iter_unpack("<Ii", self.find("enum", name).rest)
        return {self._string(n): value for n, value in rows}

    def strip(self, type_id: int) -> Type:
        """The type behind typedefs and qualifiers."""
        t = self.types[type_id]
        while t.kind in _QUALIFIERS:
            t = self.types[t.size]
        return t

    def array(self, t: Type) -> tuple[int, int]:
        """The element's type id and the number of elements."""
        element, _, count = _TRIPLE.unpack(t.rest)
        return element, count

    def big_endian(self, type_id: int) -> bool:
        """Whether the type, or an array's element, was declared __be16, __be32 or __be64."""
        t = self.types[type_id]
        while t.kind in _QUALIFIERS:
            if t.kind == "typedef" and t.name in _BIG_ENDIAN:
                return True
            t = self.types[t.size]
        return t.kind == "array" and self.big_endian(self.array(t)[0])

    def signed(self, t: Type) -> bool:
        """Whether an int is signed."""
        return bool(t.rest[3] & _SIGNED)

    def boolean(self, t: Type) -> bool:
        """Whether an int is a _Bool."""
        return bool(t.rest[3] & _BOOL)

    def sizeof(self, type_id: int) -> int:
        """The size of a type in bytes."""
        t = self.strip(type_id)
        if t.kind == "ptr":
            return _POINTER
        if t.kind == "array":
            element, count = self.array(t)
            return count * self.sizeof(element)
        return t.size

    def tags(self, kind: str, name: str) -> tuple[tuple[str, str], ...]:
        """The tags "axn:<key>=<value>" of one function or variable, in the order of the source."""
        return tuple(self._tags.get(self.find(kind, name).id, ()))

    def variables(self, section: str) -> dict[str, Variable]:
        """The variables of a data section. Offsets are right in linked objects only."""
        if not self.has("datasec", section):
            return {}
        rows = _TRIPLE.iter_unpack(self.find("datasec", section).rest)
        found = {}
        for type_id, offset, size in rows:
            var = self.types[type_id]
            tags = tuple(self._tags.get(type_id, ()))
            found[var.name] = Variable(var.name, offset, size, var.size, tags)
        return found

    def maps(self) -> dict[str, MapDefinition]:
        """The maps that the object defines, and those that it borrows (extern)."""
        found = {}
        for name, variable in self.variables(".maps").items():
            found[name] = self._map(name, variable)
        return found

    def _map(self, name: str, variable: Variable) -> MapDefinition:
        numbers, types = {}, {"key": 0, "value": 0}
        for member in self.members(self.strip(variable.type)):
            target = self.strip(member.type).size  # every field of a definition is a pointer
            if member.name in types:
                types[member.name] = target
            else:
                numbers[member.name] = self.array(self.strip(target))[1]
        linkage = struct.unpack("<I", self.find("var", name).rest)[0]
        return MapDefinition(
            name, numbers, types["key"], types["value"], linkage == _EXTERN, variable.tags
        )

    def describe(self, type_id: int) -> tuple[object, ...]:
        """The layout as nested tuples without ids: equal exactly if the bytes mean the same."""
        t, order = self.strip(type_id), "be" if self.big_endian(type_id) else "le"
        match t.kind:
            case "struct" | "union":
                rows = tuple(
                    (m.name, m.offset, m.bits, self.describe(m.type)) for m in self.members(t)
                )
                return (t.kind, t.name, t.size, rows)
            case "array":
                element, count = self.array(t)
                return ("array", count, self.describe(element))
            case "int":
                return ("int", t.size, self.signed(t), order)
            case "enum" | "enum64":
                return ("enum", t.size)
            case "ptr":
                raise BtfError("a pointer cannot stand in a map: what it points to is not kept")
            case kind:
                raise BtfError(f"a {kind} {t.name} cannot stand in a map".replace("  ", " "))

    def layout_hash(self, *type_ids: int) -> str:
        """Sixteen hex digits that change with the layout of the types."""
        text = repr([self.describe(i) if i else None for i in type_ids])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def rename_function(self, old: str, new: str) -> bytes:
        """The section with one function renamed; names are only appended."""
        function = self.find("func", old)
        data = bytearray(self.data)
        struct.pack_into("<I", data, function.at, self._strings_size)
        return self._with_string(data, new)

    def tag_function(self, name: str, key: str, value: str) -> bytes:
        """The section with one tag "axn:<key>=<value>" more, which is of a function."""
        function = self.find("func", name)
        _, _, _, _, _, length, strings, _ = _HEADER.unpack_from(self.data)
        tag = struct.pack("<IIIi", self._strings_size, _DECL_TAG << 24, function.id, _WHOLE)
        data = bytearray(self.data)
        data[self._types_end : self._types_end] = tag
        struct.pack_into("<I", data, _TYPES_LENGTH_AT, length + len(tag))
        struct.pack_into("<I", data, _STRINGS_OFFSET_AT, strings + len(tag))
        return self._with_string(data, f"{TAG_PREFIX}{key}={value}")

    def _with_string(self, data: bytearray, text: str) -> bytes:
        if self._strings + self._strings_size != len(self.data):
            raise BtfError("strings are not the last part of .BTF")
        data += text.encode() + b"\0"
        size = self._strings_size + len(text.encode()) + 1
        struct.pack_into("<I", data, _STRINGS_LENGTH_AT, size)
        return bytes(data)
