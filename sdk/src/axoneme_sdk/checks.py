# SPDX-License-Identifier: Apache-2.0
"""The rules of the C ABI that an object shows by itself; checked when built, and when loaded.

The rules are numbered in docs/reference/datapath-abi.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ABI
from .elf import OBJECT

if TYPE_CHECKING:
    from .btf import Btf
    from .declarations import Declarations, MapDeclaration

#: Bytes of stack that a stage may use with all it calls, in the verifier's units.
STAGE_STACK = 192
_LICENSE = b"Dual BSD/GPL\0"


def check(declarations: Declarations, plugin: str) -> list[str]:
    """What is wrong with a plugin's object: a sentence each, none if it keeps the rules."""
    return [
        *_abi(declarations),
        *_stack(declarations),
        *_keys_in_packet(declarations),
        *_names(declarations, plugin),
        *_writable(declarations),
        *_license(declarations),
        *_layouts(declarations),
    ]


def _abi(declarations: Declarations) -> list[str]:
    problems = []
    for stage in declarations.stages:
        if not stage.abi:
            problems.append(f"{stage.symbol} was not written with AXN_STAGE({stage.name})")
        elif stage.abi != str(ABI):
            problems.append(
                f"stage {stage.name} is built for datapath ABI {stage.abi}, and this is ABI {ABI}: "
                f"build the plugin with an axoneme-sdk of ABI {ABI}"
            )
    return problems


def _stack(declarations: Declarations) -> list[str]:
    return [
        f"stage {stage.name} needs {stage.stack} bytes of stack with all it calls, and may use "
        f"{STAGE_STACK}: move what is big into a per-CPU array map"
        for stage in declarations.stages
        if stage.stack > STAGE_STACK
    ]


def _keys_in_packet(declarations: Declarations) -> list[str]:
    return [
        f"{function.name} gives a pointer into struct packet to a map as its key or value, which "
        "kernels before 6.2 refuse: copy it to the stack first"
        for function in declarations.functions.values()
        if function.packet_as_key
    ]


def _names(declarations: Declarations, plugin: str) -> list[str]:
    prefix = plugin.replace("-", "_") + "_"
    stages = {stage.symbol for stage in declarations.stages}
    return [
        f"global {symbol.name} must begin with {prefix} (or be static): equal names do not link"
        for symbol in declarations.elf.globals()
        if symbol.name not in stages
        and symbol.name != "LICENSE"
        and not symbol.name.startswith(prefix)
    ]


def _writable(declarations: Declarations) -> list[str]:
    ours = {"license", ".maps"}
    return [
        f"writable globals in {section.name} would be lost by a hot swap: use a map, or make them "
        "const volatile"
        for section in declarations.elf.sections
        if section.writable and section.size and section.name not in ours
    ]


def _license(declarations: Declarations) -> list[str]:
    found = [s for s in declarations.elf.globals() if s.name == "LICENSE" and s.type == OBJECT]
    if found and declarations.elf.content("license") == _LICENSE:
        return []
    return ["no license section of ours: include <axoneme/plugin.h>, and write none"]


def _layouts(declarations: Declarations) -> list[str]:
    return [
        problem
        for declaration in declarations.maps
        if not declaration.extern
        for problem in _key(declarations.btf, declaration)
    ]


def _key(btf: Btf, declaration: MapDeclaration) -> list[str]:
    """A key's bytes are compared whole, so that padding which the compiler adds never matches."""
    padded = declaration.definition.key and _padding(btf, declaration.definition.key)
    if not padded:
        return []
    struct, at = padded
    where = f"the key of map {declaration.name}, struct {struct}, has padding at byte {at}"
    return [f"{where}: name it (__u8 pad[n]) so that it is zeroed"]


def _padding(btf: Btf, type_id: int) -> tuple[str, int] | None:
    """The first struct in a type that has bytes of no member, and where they are in it."""
    t = btf.strip(type_id)
    if t.kind == "array":
        return _padding(btf, btf.array(t)[0])
    if t.kind != "struct":
        return None
    at = 0
    for member in btf.members(t):
        if member.offset != at and not member.bits:
            return t.name, at // 8
        inner = _padding(btf, member.type)
        if inner:
            return inner
        at = member.offset + (member.bits or btf.sizeof(member.type) * 8)
    return None if at == t.size * 8 else (t.name, at // 8)
