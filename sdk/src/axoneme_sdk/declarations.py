# SPDX-License-Identifier: Apache-2.0
"""What an object declares: its stages and their order, reasons, knobs, maps."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .btf import Btf, BtfError
from .elf import Elf, ElfError
from .instructions import helpers_of, read_functions, stack_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .btf import MapDefinition, Variable
    from .instructions import Function

STAGE_PREFIX = "stage_"


@dataclass(frozen=True, slots=True)
class StageDeclaration:
    """A stage that the object fills. abi is empty if AXN_STAGE did not write the function.

    per_flow: its answer holds for a flow, and need not be asked for with every packet.
    """

    name: str
    abi: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    per_flow: bool
    stack: int
    helpers: frozenset[int]

    @property
    def symbol(self) -> str:
        """The function's name in the object."""
        return STAGE_PREFIX + self.name


@dataclass(frozen=True, slots=True)
class Constant:
    """A reason or a knob: a constant of .rodata, its size in bytes, and what it is for."""

    name: str
    size: int
    text: str


@dataclass(frozen=True, slots=True)
class MapDeclaration:
    """A map, the number of its layout, and the hash of the layout itself."""

    name: str
    layout: int
    hash: str
    extern: bool
    definition: MapDefinition


@dataclass(frozen=True)
class Declarations:
    """All that an object says of itself. Raises ElfError or BtfError when it is no BPF object."""

    elf: Elf
    btf: Btf
    stages: tuple[StageDeclaration, ...]
    reasons: tuple[Constant, ...]
    knobs: tuple[Constant, ...]
    maps: tuple[MapDeclaration, ...]
    functions: dict[str, Function]

    @classmethod
    def read(cls, data: bytes) -> Declarations:
        """Read an object's declarations from its symbols, BTF and instructions.

        Raises:
            ElfError: it is no object.
            BtfError: its BTF is missing or damaged.
        """
        elf = Elf(data)
        try:
            return cls._read(elf)
        except (ElfError, BtfError):
            raise
        except (struct.error, ArithmeticError, LookupError, ValueError) as error:
            raise BtfError(f"truncated or corrupt: {error}") from error

    @classmethod
    def _read(cls, elf: Elf) -> Declarations:
        btf = Btf(elf.content(".BTF"))
        functions = read_functions(elf)
        constants = btf.variables(".rodata").values()
        return cls(
            elf,
            btf,
            tuple(_stages(elf, btf, functions)),
            tuple(_constants(constants, "reason")),
            tuple(_constants(constants, "knob")),
            tuple(_map(btf, m) for m in btf.maps().values()),
            functions,
        )


def _stages(elf: Elf, btf: Btf, functions: dict[str, Function]) -> list[StageDeclaration]:
    found = []
    for symbol in elf.globals():
        if symbol.name not in functions or not symbol.name.startswith(STAGE_PREFIX):
            continue
        tags = btf.tags("func", symbol.name)
        found.append(
            StageDeclaration(
                symbol.name.removeprefix(STAGE_PREFIX),
                dict(tags).get("abi", ""),
                tuple(v for k, v in tags if k == "before"),
                tuple(v for k, v in tags if k == "after"),
                ("per", "flow") in tags,
                stack_of(functions, symbol.name),
                helpers_of(functions, symbol.name),
            )
        )
    return found


def _constants(variables: Iterable[Variable], key: str) -> list[Constant]:
    return [
        Constant(v.name, v.size, text)
        for v in variables
        if (text := dict(v.tags).get(key)) is not None
    ]


def _map(btf: Btf, definition: MapDefinition) -> MapDeclaration:
    layout = int(dict(definition.tags).get("layout", "1"))
    try:
        types = btf.layout_hash(definition.key, definition.value)
    except BtfError as error:
        raise BtfError(f"map {definition.name}: {error}") from error
    return MapDeclaration(definition.name, layout, types, definition.extern, definition)
