# SPDX-License-Identifier: Apache-2.0
"""What instructions say: frames, calls, helpers, and keys that lie in struct packet.

Instruction encoding: Documentation/bpf/standardization/instruction-set.rst of the Linux kernel.
Registers are followed in the order of the text, without branches: good enough for what clang emits,
where an address is computed right before its use.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .elf import Elf, Symbol

_INSTRUCTION = struct.Struct("<BBhi")
_LDX, _ST, _STX, _ALU64 = 1, 2, 3, 7
_CALL, _MOV_REGISTER, _ADD_CONSTANT = 0x85, 0xBF, 0x07
_FRAME_POINTER = 10
_PACKET_ARGUMENT = 2  # stage_<name>(ctx, packet): in r2
_PSEUDO_CALL = 1
_CALL_RELOCATION = 10  # R_BPF_64_32
_FRAME_UNIT = 32  # the verifier charges frames in units of 32 bytes
#: bpf_map_lookup_elem, bpf_map_update_elem and bpf_map_delete_elem take a key in r2, the second a
#: value in r3.
_KEY_AND_VALUE = {1: (2,), 2: (2, 3), 3: (2,)}


@dataclass(frozen=True, slots=True)
class Function:
    """What one function does: its frame in bytes, whom it calls, which helpers (by number)."""

    name: str
    frame: int
    calls: frozenset[str]
    helpers: frozenset[int]
    packet_as_key: bool

    @property
    def charged(self) -> int:
        """The bytes of stack that the verifier charges for one call."""
        return max(1, -(-self.frame // _FRAME_UNIT)) * _FRAME_UNIT


class _Registers:
    """Which registers and stack slots hold the frame pointer, or struct packet, plus a number."""

    def __init__(self) -> None:
        self.frame: dict[int, int] = {_FRAME_POINTER: 0}
        self.packet: set[int] = {_PACKET_ARGUMENT}
        self.spilled: set[int] = set()
        self.lowest = 0

    def access(self, base: int, offset: int) -> None:
        if base in self.frame:
            self.lowest = min(self.lowest, self.frame[base] + offset)

    def forget(self, register: int) -> None:
        self.frame.pop(register, None)
        self.packet.discard(register)

    def copy(self, target: int, source: int) -> None:
        self.forget(target)
        if source in self.frame:
            self.frame[target] = self.frame[source]
        if source in self.packet:
            self.packet.add(target)

    def add(self, register: int, constant: int) -> None:
        if register in self.frame:
            self.frame[register] += constant
            self.lowest = min(self.lowest, self.frame[register])

    def store(self, base: int, offset: int, source: int) -> None:
        self.access(base, offset)
        if base == _FRAME_POINTER:
            (self.spilled.add if source in self.packet else self.spilled.discard)(offset)

    def load(self, target: int, base: int, offset: int) -> None:
        self.access(base, offset)
        spilled = base == _FRAME_POINTER and offset in self.spilled
        self.forget(target)
        if spilled:
            self.packet.add(target)

    def call(self) -> None:
        for register in range(6):
            self.forget(register)


class _Reader:
    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        self.at = {(f.section, f.value): f.name for f in elf.functions()}

    def _target(self, function: Symbol, offset: int, constant: int) -> str:
        section = self.elf.sections[function.section]
        relocation = self.relocations.get(offset)
        if relocation is None:
            return self.at[function.section, offset + (constant + 1) * 8]
        symbol = self.elf.symbols[relocation.symbol]
        if symbol.name and symbol.name != section.name:
            return symbol.name
        return self.at.get((symbol.section, (constant + 1) * 8), symbol.name)

    def read(self, function: Symbol) -> Function:
        section = self.elf.sections[function.section]
        self.relocations = self.elf.relocations(section.name)
        code = self.elf.content(section.name)[function.value : function.value + function.size]
        registers, calls, helpers, packet_as_key = _Registers(), set(), set(), False
        for i, (op, packed, offset, constant) in enumerate(_INSTRUCTION.iter_unpack(code)):
            target, source = packed & 15, packed >> 4
            if op == _CALL and source == _PSEUDO_CALL:
                calls.add(self._target(function, function.value + i * 8, constant))
                registers.call()
            elif op == _CALL:
                helpers.add(constant)
                pointers = _KEY_AND_VALUE.get(constant, ())
                packet_as_key |= any(r in registers.packet for r in pointers)
                registers.call()
            elif op == _MOV_REGISTER:
                registers.copy(target, source)
            elif op == _ADD_CONSTANT:
                registers.add(target, constant)
            elif op & 7 == _LDX:
                registers.load(target, source, offset)
            elif op & 7 in (_ST, _STX):
                registers.store(target, offset, source if op & 7 == _STX else -1)
            elif op & 7 not in (5, 6):  # all but jumps writes its target
                registers.forget(target)
        is_stage = function.name.startswith("stage_") and not function.name.startswith(
            "stage_sock_"
        )
        return Function(
            function.name,
            -registers.lowest,
            frozenset(calls),
            frozenset(helpers),
            packet_as_key and is_stage,
        )


def read_functions(elf: Elf) -> dict[str, Function]:
    """Every function of an object, by name."""
    reader = _Reader(elf)
    return {f.name: reader.read(f) for f in elf.functions()}


def stack_of(functions: dict[str, Function], name: str) -> int:
    """The bytes of stack that a function needs with all it calls (BPF forbids recursion)."""
    function = functions.get(name)
    if function is None:
        return 0  # another object's: checked with that one
    return function.charged + max((stack_of(functions, c) for c in function.calls), default=0)


def helpers_of(functions: dict[str, Function], name: str) -> frozenset[int]:
    """The numbers of the helpers that a function calls, itself or through others."""
    function = functions.get(name)
    if function is None:
        return frozenset()
    return function.helpers.union(*(helpers_of(functions, c) for c in function.calls))
