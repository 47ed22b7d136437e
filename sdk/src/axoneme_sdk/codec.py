# SPDX-License-Identifier: Apache-2.0
"""Write the codec of maps: an out-of-line ABI cffi module, from the BTF of the compiled objects.

Beside cffi's own `ffi` the module has
    MAPS    {map: (key's C type, value's C type, hash of the layout, number of the layout)}
    FIELDS  {C type: ((field, offset, size, kind), ...)} with kind le, be, signed or bytes; fields
            of nested structs have dotted names, a union is its first member, an integer is ""
    SIZES   {C type: bytes}
"""

from __future__ import annotations

from pprint import pformat
from typing import TYPE_CHECKING

from .compile import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .btf import Btf, Member, Type
    from .declarations import Declarations

_Field = tuple[str, int, int, str]


def _integer(btf: Btf, t: Type) -> str:
    if btf.boolean(t):
        return "_Bool"
    return f"{'int' if btf.signed(t) else 'uint'}{t.size * 8}_t"


class _Declarations:
    """C declarations of chosen types and what they contain, for cffi to parse."""

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.done: dict[int, str] = {}
        self.lines: list[str] = []

    def declare(self, type_id: int, name: str = "") -> str:
        """A declarator of the type: "struct key", "uint32_t name", "uint8_t name[6]"."""
        t = self.btf.strip(type_id)
        match t.kind:
            case "array":
                element, count = self.btf.array(t)
                return self.declare(element, f"{name}[{count}]")
            case "struct" | "union":
                specifier = self._record(t)
            case "enum" | "enum64":
                specifier = f"uint{t.size * 8}_t"
            case "int":
                specifier = _integer(self.btf, t)
            case kind:
                raise BuildError(f"{name or t.name}: a {kind} cannot stand in a map")
        return f"{specifier} {name}".rstrip()

    def _record(self, t: Type) -> str:
        if t.id in self.done:
            return self.done[t.id]
        rows = " ".join(
            f"{self.declare(m.type, m.name)}{f' : {m.bits}' if m.bits else ''};"
            for m in self.btf.members(t)
        )
        if not t.name:  # anonymous: written in place
            self.done[t.id] = f"{t.kind} {{ {rows} }}"
        else:
            self.lines.append(f"{t.kind} {t.name} {{ {rows} }};")
            self.done[t.id] = f"{t.kind} {t.name}"
        return self.done[t.id]


def flatten(btf: Btf, type_id: int, name: str = "", offset: int = 0) -> list[_Field]:
    """The fields of a type as rows (name, offset, size, kind)."""
    t = btf.strip(type_id)
    match t.kind:
        case "struct":
            dot = f"{name}." if name else ""
            return [f for m in btf.members(t) for f in _member(btf, m, f"{dot}{m.name}", offset)]
        case "union":
            return _member(btf, btf.members(t)[0], name, offset)
        case "array":
            return _array(btf, t, name, offset)
    order = "be" if btf.big_endian(type_id) else "le"
    signed = t.kind == "int" and btf.signed(t)
    return [(name, offset, t.size, "signed" if signed else order)]


def _member(btf: Btf, member: Member, name: str, offset: int) -> list[_Field]:
    if member.bits:
        raise BuildError(f"{name}: bit fields cannot stand in a map; use flags")
    return flatten(btf, member.type, name, offset + member.offset // 8)


def _array(btf: Btf, t: Type, name: str, offset: int) -> list[_Field]:
    element, count = btf.array(t)
    size = btf.sizeof(element)
    if size == 1 or btf.strip(element).kind != "int":  # of records: opaque, read them through ffi
        return [(name, offset, count * size, "bytes")]
    return [
        f for i in range(count) for f in flatten(btf, element, f"{name}[{i}]", offset + i * size)
    ]


def generate(objects: Iterable[Declarations], module: str, target: Path) -> None:
    """Write the codec of all maps that the objects define (not of those they borrow).

    Raises:
        BuildError: a layout that cffi would not reproduce, or one map defined in two ways.
    """
    from cffi import FFI
    from cffi.recompiler import make_py_source

    lines: dict[str, str] = {}
    maps: dict[str, tuple[str, str, str, int]] = {}
    fields: dict[str, tuple[_Field, ...]] = {}
    sizes: dict[str, int] = {}
    for declarations in objects:
        btf, writer = declarations.btf, _Declarations(declarations.btf)
        for declaration in declarations.maps:
            if declaration.extern or not declaration.definition.key:
                continue
            names = []
            for type_id in (declaration.definition.key, declaration.definition.value):
                names.append(writer.declare(type_id))
                fields[names[-1]] = tuple(_flatten(btf, type_id, declaration.name))
                sizes[names[-1]] = btf.sizeof(type_id)
            row = (names[0], names[1], declaration.hash, declaration.layout)
            if maps.setdefault(declaration.name, row) != row:
                raise BuildError(f"map {declaration.name} is defined in two ways")
        _merge(lines, writer)
        _compare(btf, writer)
    out = FFI()
    out.cdef("\n".join(lines.values()))
    make_py_source(out, module, str(target))  # emit_python_code does the same, and prints
    with target.open("a") as file:
        for name, table in (("MAPS", maps), ("FIELDS", fields), ("SIZES", sizes)):
            file.write(f"\n{name} = {pformat(table, width=96)}\n")


def _flatten(btf: Btf, type_id: int, name: str) -> list[_Field]:
    try:
        return flatten(btf, type_id)
    except BuildError as error:
        raise BuildError(f"map {name}: {error}") from error


def _merge(lines: dict[str, str], writer: _Declarations) -> None:
    """Add what one object declares to the structs of all, by their names."""
    for line in writer.lines:
        name = line.partition(" {")[0]
        if lines.setdefault(name, line) != line:
            raise BuildError(f"{name} is defined in two ways by objects of one plugin")


def _compare(btf: Btf, writer: _Declarations) -> None:
    """cffi lays structs out by C's rules; the compiler must have come to the same."""
    from cffi import FFI

    checked = FFI()
    checked.cdef("\n".join(writer.lines))
    for type_id, name in writer.done.items():
        t = btf.types[type_id]
        if not t.name:
            continue
        wanted = {m.name: m.offset // 8 for m in btf.members(t) if m.name and not m.bits}
        found = {m: checked.offsetof(name, m) for m in wanted}
        if checked.sizeof(name) != t.size or found != wanted:
            raise BuildError(
                f"{name} is packed or aligned by attribute: a codec cannot follow that"
            )
