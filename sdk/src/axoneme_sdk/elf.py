# SPDX-License-Identifier: Apache-2.0
"""Read a BPF object (ELF64, little endian), and give its symbols other names.

The format is the System V gABI's; the BPF relocations are those of LLVM's BPF back end.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_MACHINE_BPF = 247
_SECTION_OFFSET_AND_SIZE = 24  # where sh_offset and sh_size stand in a section's header
_FLAG_WRITE = 1
_RELOCATIONS = 9  # SHT_REL
_KINDS = {".symtab": 2, ".strtab": 3}  # SHT_SYMTAB, SHT_STRTAB
_RESERVED_SECTIONS = 0xFF00  # SHN_LORESERVE: absolute symbols and the like

LOCAL, GLOBAL, WEAK = range(3)
NOTYPE, OBJECT, FUNC, SECTION = range(4)
UNDEFINED = 0


class ElfError(ValueError):
    """The bytes are no BPF object: compile the source again with clang -target bpf."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section's header; offset and size in bytes."""

    name: str
    index: int
    flags: int
    offset: int
    size: int

    @property
    def writable(self) -> bool:
        """Whether the section's data may be written at run time."""
        return bool(self.flags & _FLAG_WRITE)


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol; value is its offset in its section, at the file offset of its record."""

    name: str
    index: int
    binding: int
    type: int
    section: int
    value: int
    size: int
    at: int


@dataclass(frozen=True, slots=True)
class Relocation:
    """A place in a section that refers to a symbol."""

    offset: int
    symbol: int
    type: int


class Elf:
    """An object in memory.

    Changes only ever append: a section that grows moves to the end of the file, so that every other
    offset stays true. That also holds where clang keeps one name as the tail of a longer one.
    """

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        if data[:6] != b"\x7fELF\x02\x01":
            raise ElfError("not a little-endian ELF64 file")
        try:
            self._read()
        except (struct.error, IndexError, OverflowError, ValueError) as error:
            raise ElfError(f"truncated or corrupt: {error}") from error

    def _read(self) -> None:
        fields = _HEADER.unpack_from(self.data)
        machine, self._table, count, names = fields[1], fields[5], fields[11], fields[12]
        if machine != _MACHINE_BPF:
            raise ElfError(f"built for machine {machine}, not for BPF ({_MACHINE_BPF})")
        raw = [
            _SECTION.unpack_from(self.data, self._table + i * _SECTION.size) for i in range(count)
        ]
        strings, strings_size = raw[names][4:6]
        if any(header[0] >= strings_size for header in raw):
            raise ElfError("a section's name is beyond the names")
        self.sections = [
            Section(self._string(strings + name), i, flags, offset, size)
            for i, (name, _, flags, _, offset, size, *_) in enumerate(raw)
        ]
        no_bits = 8
        for section, header in zip(self.sections, raw, strict=True):
            if header[1] != no_bits and section.offset + section.size > len(self.data):
                raise ElfError(f"section {section.name} ends after the file does")
        self.symbols = self._symbols()
        self._check_references(raw)

    def _check_references(self, raw: list[tuple[int, ...]]) -> None:
        """What the linker takes on trust: it would read beyond its tables."""
        for name, kind in _KINDS.items():
            found = self.section(name)
            if found is not None and raw[found.index][1] != kind:
                raise ElfError(f"section {name} is of another kind")
        for symbol in self.symbols:
            if len(raw) <= symbol.section < _RESERVED_SECTIONS:
                raise ElfError(f"symbol {symbol.name} is in no section")
        for section, (_, kind, _, _, _, _, _, info, *_) in zip(self.sections, raw, strict=True):
            if kind != _RELOCATIONS:
                continue
            target, count = self.sections[info].size, len(self.symbols)
            rows = _RELOCATION.iter_unpack(self.content(section.name))
            if any(at >= target or what >> 32 >= count for at, what in rows):
                raise ElfError(f"{section.name} leads out of the file")

    def _string(self, at: int) -> str:
        return self.data[at : self.data.index(0, at)].decode()

    def _symbols(self) -> list[Symbol]:
        table, strings = self.section(".symtab"), self.section(".strtab")
        if table is None or strings is None:
            raise ElfError("no symbol table")
        found = []
        for index in range(table.size // _SYMBOL.size):
            at = table.offset + index * _SYMBOL.size
            name, info, _, section, value, size = _SYMBOL.unpack_from(self.data, at)
            if name >= strings.size:
                raise ElfError(f"the name of symbol {index} is beyond the names")
            text = self._string(strings.offset + name)
            found.append(Symbol(text, index, info >> 4, info & 15, section, value, size, at))
        return found

    def section(self, name: str) -> Section | None:
        """The section of this name, if there is one."""
        return next((s for s in self.sections if s.name == name), None)

    def content(self, name: str) -> bytes:
        """A section's bytes.

        Raises:
            ElfError: there is no such section.
        """
        section = self.section(name)
        if section is None:
            raise ElfError(f"no section {name}; compile with -g for .BTF")
        return bytes(self.data[section.offset : section.offset + section.size])

    def functions(self) -> list[Symbol]:
        """The functions that the object defines, static ones too."""
        return [s for s in self.symbols if s.type == FUNC and s.section != UNDEFINED]

    def globals(self) -> list[Symbol]:
        """What the object defines for others to see."""
        return [s for s in self.symbols if s.binding != LOCAL and s.section != UNDEFINED]

    def relocations(self, section: str) -> dict[int, Relocation]:
        """The relocations of a section by their offset in it."""
        table = self.section(f".rel{section}")
        if table is None:
            return {}
        rows = _RELOCATION.iter_unpack(self.content(table.name))
        return {at: Relocation(at, info >> 32, info & 0xFFFFFFFF) for at, info in rows}

    def replace_section(self, name: str, content: bytes) -> None:
        """Put other bytes in a section's place; they stand at the end of the file."""
        old = self.section(name)
        if old is None:
            raise ElfError(f"no section {name}")
        self.data += bytes(-len(self.data) % 8)
        new = replace(old, offset=len(self.data), size=len(content))
        self.data += content
        header = self._table + old.index * _SECTION.size
        struct.pack_into("<QQ", self.data, header + _SECTION_OFFSET_AND_SIZE, new.offset, new.size)
        self.sections[old.index] = new

    def rename(self, old: str, new: str) -> None:
        """Rename one global symbol. The name is appended: others may share the old one's bytes."""
        (symbol,) = (s for s in self.globals() if s.name == old)
        strings = self.content(".strtab")
        self.replace_section(".strtab", strings + new.encode() + b"\0")
        struct.pack_into("<I", self.data, symbol.at, len(strings))
        self.symbols[symbol.index] = replace(symbol, name=new)
