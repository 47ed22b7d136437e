# SPDX-License-Identifier: Apache-2.0
"""What a check of a plugin found: values only, made from objects and from what was loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme.datapath import LibbpfLoader, helper_names, map_info, map_type_names
from axoneme_sdk.declarations import Declarations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from axoneme.datapath import Assembly, LoadedObject
    from axoneme.model import PluginObject
    from axoneme_sdk.declarations import Constant, MapDeclaration, StageDeclaration


@frozen
class StageReport:
    """A stage that an object fills: its lanes by plugin, its cost, the helpers that it calls."""

    name: str
    alone: tuple[str, ...]
    with_all: tuple[str, ...]
    stack: int
    helpers: tuple[str, ...]


@frozen
class MapReport:
    """A map; sizes in bytes. Without a codec it has no layout, and its number is 0."""

    name: str
    type: str
    key: int
    value: int
    entries: int
    layout: int = 0
    hash: str = ""


@frozen
class ConstantReport:
    """A drop reason or a knob."""

    name: str
    text: str
    size: int


@frozen
class ProgramReport:
    """A program of an object that stands alone."""

    name: str
    attach: str
    instructions: int


@frozen
class ObjectReport:
    """One object of the plugin; `borrowed` are core's maps that it reaches."""

    name: str
    loader: str
    stages: tuple[StageReport, ...] = ()
    programs: tuple[ProgramReport, ...] = ()
    maps: tuple[MapReport, ...] = ()
    borrowed: tuple[str, ...] = ()
    reasons: tuple[ConstantReport, ...] = ()
    knobs: tuple[ConstantReport, ...] = ()


@frozen
class TrunkReport:
    """Instructions that the verifier processed for a trunk; None where it is not loaded."""

    name: str
    core: int | None
    alone: int | None
    others: int | None
    with_all: int | None


@frozen
class Report:
    """All of it. `others` are the plugins beside it; `problems` are sentences, none if it is right.

    `distribution` has name and version.
    """

    plugin: str
    distribution: str = ""
    kernel: str = ""
    others: tuple[str, ...] = ()
    objects: tuple[ObjectReport, ...] = ()
    trunks: tuple[TrunkReport, ...] = ()
    problems: tuple[str, ...] = ()


@frozen
class Standalone:
    """An object that fills no stage, as it was loaded."""

    programs: tuple[ProgramReport, ...]
    maps: tuple[MapReport, ...]

    @classmethod
    def of(cls, loaded: LoadedObject) -> Standalone:
        """Describe an object while it is loaded."""
        return cls(tuple(_programs(loaded)), tuple(_loaded_maps(loaded)))


@frozen
class Loads:
    """What was kept of a loaded assembly: it is closed before the next is made.

    `standalone` are the objects that fill no stage, by plugin and name.
    """

    lanes: Mapping[str, tuple[str, ...]] = field(factory=dict)
    instructions: Mapping[str, int] = field(factory=dict)
    refused: Mapping[str, str] = field(factory=dict)
    standalone: Mapping[tuple[str, str], Standalone] = field(factory=dict)

    @classmethod
    def of(cls, assembly: Assembly) -> Loads:
        """Keep lanes, instructions of each trunk, refusals by plugin, and what stands alone."""
        return cls(
            assembly.lanes,
            {name: program.instructions for name, program in assembly.programs.items()},
            {refused.plugin: refused.reason for refused in assembly.refused},
            {
                (one.source.plugin, one.source.name): Standalone.of(one.loaded)
                for one in assembly.sources
            },
        )


def describe_object(plugin: str, item: PluginObject, alone: Loads, with_all: Loads) -> ObjectReport:
    """Describe an object as it declares itself, or, if it stands alone, as it was loaded."""
    name = item.source.name
    loaded = alone.standalone.get((plugin, name), Standalone((), ()))
    declarations = _read(item)
    if declarations is None:
        return ObjectReport(name, item.loader, programs=loaded.programs, maps=loaded.maps)
    own = [m for m in declarations.maps if not m.extern]
    return ObjectReport(
        name,
        item.loader,
        tuple(_stage(stage, alone, with_all) for stage in declarations.stages),
        loaded.programs,
        tuple(_map(declarations, m, item.sizes) for m in own),
        tuple(m.name for m in declarations.maps if m.extern),
        tuple(_constant(reason) for reason in declarations.reasons),
        tuple(_constant(knob) for knob in declarations.knobs),
    )


def describe_trunks(core: Loads, alone: Loads, others: Loads, with_all: Loads) -> list[TrunkReport]:
    """Describe every trunk that was loaded at least once."""
    loads = (core, alone, others, with_all)
    names = {name for load in loads for name in load.instructions}
    return [TrunkReport(n, *(load.instructions.get(n) for load in loads)) for n in sorted(names)]


def _read(item: PluginObject) -> Declarations | None:
    """Read a compiled object: why one cannot be read is what the loader says of it."""
    if item.loader != LibbpfLoader.name:
        return None
    try:
        return Declarations.read(item.source.read_bytes())
    except (OSError, ValueError):
        return None


def _stage(stage: StageDeclaration, alone: Loads, with_all: Loads) -> StageReport:
    names = helper_names()
    helpers = tuple(sorted(names.get(number, str(number)) for number in stage.helpers))
    return StageReport(
        stage.name,
        alone.lanes.get(stage.name, ()),
        with_all.lanes.get(stage.name, ()),
        stage.stack,
        helpers,
    )


def _map(
    declarations: Declarations, declaration: MapDeclaration, sizes: Mapping[str, int]
) -> MapReport:
    definition, btf = declaration.definition, declarations.btf
    number = definition.numbers.get("type", 0)
    key, value = (btf.sizeof(t) if t else 0 for t in (definition.key, definition.value))
    return MapReport(
        declaration.name,
        map_type_names().get(number, str(number)),
        key,
        value,
        sizes.get(declaration.name, definition.numbers.get("max_entries", 0)),
        declaration.layout,
        declaration.hash,
    )


def _loaded_maps(loaded: LoadedObject) -> Iterator[MapReport]:
    names = map_type_names()
    for one in loaded.maps.values():
        info = map_info(one.fd)
        kind = names.get(info.type, str(info.type))
        yield MapReport(one.name, kind, info.key_size, info.value_size, info.max_entries)


def _programs(loaded: LoadedObject) -> Iterator[ProgramReport]:
    for program in loaded.programs.values():
        yield ProgramReport(program.name, program.attach, program.instructions)


def _constant(constant: Constant) -> ConstantReport:
    return ConstantReport(constant.name, constant.text, constant.size)
