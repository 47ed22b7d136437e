# SPDX-License-Identifier: Apache-2.0
"""A plugin's object, read and vetted for this core and this kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme.errors import NotSupported, nearest
from axoneme_sdk.btf import BtfError
from axoneme_sdk.checks import check
from axoneme_sdk.declarations import Declarations
from axoneme_sdk.elf import ElfError

from .features import supported
from .images import IMAGES, all_stages, trunk_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axoneme.model import PluginObject
    from axoneme_sdk.declarations import Constant, StageDeclaration

LIBBPF = "libbpf"
#: Bytes of struct reason_record, but for the zero at the end.
REASON_OWNER, REASON_NAME, REASON_TEXT = 31, 63, 127


@frozen(eq=False)
class Part:
    """One object of one plugin that fills stages."""

    plugin: str
    name: str
    data: bytes
    declarations: Declarations
    constants: Mapping[str, bytes]
    sizes: Mapping[str, int]

    @property
    def stages(self) -> dict[str, StageDeclaration]:
        """The stages that it fills, by name."""
        return {stage.name: stage for stage in self.declarations.stages}

    @property
    def reasons(self) -> tuple[Constant, ...]:
        """The drop reasons of its own."""
        return self.declarations.reasons

    @property
    def order(self) -> tuple[str, str]:
        """By what parts are ordered where nothing else orders them."""
        return (self.plugin, self.name)


@frozen(eq=False)
class Source:
    """An object that stands alone: C text for bcc, or no stage in it.

    It is for its loader as it is, but for one that borrows maps of core: that is linked with the
    trunk that has them, and `programs` are its own.
    """

    plugin: str
    name: str
    loader: str
    text: bytes
    constants: Mapping[str, bytes] = field(factory=dict)
    sizes: Mapping[str, int] = field(factory=dict)
    borrows: bool = False
    programs: frozenset[str] | None = None


@frozen
class Refused:
    """A plugin that is left out, and why."""

    plugin: str
    reason: str


def read_parts(
    plugin: str, objects: Iterable[PluginObject]
) -> tuple[list[Part], list[Source]] | Refused:
    """Read a plugin's objects, or say what is wrong with the first that cannot be used."""
    parts: list[Part] = []
    sources: list[Source] = []
    for item in objects:
        result = _read(plugin, item)
        match result:
            case str():
                return Refused(plugin, f"{item.source.name}: {result}")
            case Part():
                parts.append(result)
            case Source():
                sources.append(result)
    return parts, sources


def _read(plugin: str, item: PluginObject) -> Part | Source | str:
    lacking = _lacking(item.needs)
    if lacking:
        return lacking
    try:
        data = item.source.read_bytes()
    except OSError as error:
        return f"cannot be read ({error.strerror}): build or install the plugin again"
    if item.loader == LIBBPF:
        return _read_object(plugin, item, data)
    if item.knobs or item.sizes:
        return f"the loader {item.loader} takes no knobs and no sizes"
    return Source(plugin, item.source.name, item.loader, data)


def _lacking(needs: Iterable[str]) -> str:
    """Why this kernel will not do, or nothing."""
    try:
        missing = [feature for feature in sorted(needs) if not supported(feature)]
    except NotSupported as error:
        return str(error)
    return f"this kernel lacks {', '.join(missing)}, which the object needs" if missing else ""


def _read_object(plugin: str, item: PluginObject, data: bytes) -> Part | Source | str:
    try:
        declarations = Declarations.read(data)
        problems = check(declarations, plugin)
    except (ElfError, BtfError) as error:
        return f"{error}: install the plugin again, or build it with the SDK's hook"
    problems += [
        *_unknown_stages(declarations),
        *_unknown_maps(declarations),
        *_unknown_sizes(declarations, item.sizes),
        *_long_names(declarations, plugin),
    ]
    constants: dict[str, bytes] = {}
    for name, value in item.knobs.items():
        encoded = _encode(declarations, name, value)
        if isinstance(encoded, str):
            problems.append(encoded)
        else:
            constants[name] = encoded
    if problems:
        return "; ".join(problems)
    if not declarations.stages:
        return Source(
            plugin,
            item.source.name,
            LIBBPF,
            data,
            constants,
            item.sizes,
            any(m.extern for m in declarations.maps),
            _programs(declarations),
        )
    return Part(plugin, item.source.name, data, declarations, constants, item.sizes)


def _programs(declarations: Declarations) -> frozenset[str]:
    """The functions that have a section of their own, as programs do."""
    elf = declarations.elf
    sections = ((f.name, elf.sections[f.section].name) for f in elf.functions())
    return frozenset(name for name, section in sections if section != ".text")


def _hint(name: str, candidates: Iterable[str]) -> str:
    found = nearest(name, candidates)
    return f"; did you mean {found!r}?" if found else ""


def _unknown_stages(declarations: Declarations) -> list[str]:
    stages = all_stages()
    return [
        f"there is no stage {stage.name}{_hint(stage.name, stages)}"
        for stage in declarations.stages
        if stage.name not in stages
    ]


def _unknown_maps(declarations: Declarations) -> list[str]:
    shared = {m.name for image in IMAGES for m in trunk_object(image).declarations.maps}
    return [
        f"core has no map {m.name} to share{_hint(m.name, shared)}"
        for m in declarations.maps
        if m.extern and m.name not in shared
    ]


def _unknown_sizes(declarations: Declarations, sizes: Mapping[str, int]) -> list[str]:
    own = {m.name for m in declarations.maps if not m.extern}
    return [
        f"sizes: the object has no map {name}{_hint(name, own)}"
        for name in sizes
        if name not in own
    ]


def _long_names(declarations: Declarations, plugin: str) -> list[str]:
    """Names that do not fit the map of reasons: cut, they would be others after a restart."""
    problems = [
        f"the name of reason {reason.name} has more than {REASON_NAME} bytes"
        for reason in declarations.reasons
        if len(reason.name.encode()) > REASON_NAME
    ]
    if declarations.reasons and len(plugin.encode()) > REASON_OWNER:
        problems.append(f"a plugin with reasons has a name of at most {REASON_OWNER} bytes")
    return problems


def _encode(declarations: Declarations, name: str, value: int | bytes) -> bytes | str:
    """A knob's value as the bytes of its constant, or what is wrong with it."""
    knobs = {knob.name: knob for knob in declarations.knobs}
    if name not in knobs:
        return f"there is no knob {name}{_hint(name, knobs)}"
    size = knobs[name].size
    if isinstance(value, bytes):
        if len(value) != size:
            return f"knob {name} takes {size} bytes, not {len(value)}"
        return value
    lowest, highest, signed = _range(declarations, name, size)
    if not lowest <= value <= highest:
        return f"knob {name} takes {lowest} to {highest}, not {int(value)}"
    return int(value).to_bytes(size, "little", signed=signed)


def _range(declarations: Declarations, name: str, size: int) -> tuple[int, int, bool]:
    """What a knob's type can hold, and whether it is signed; what is no integer counts as one."""
    btf = declarations.btf
    kind = btf.strip(btf.variables(".rodata")[name].type)
    bits = size * 8
    if kind.kind == "int" and btf.boolean(kind):
        return 0, 1, False
    if kind.kind == "int" and btf.signed(kind):
        return -(1 << bits - 1), (1 << bits - 1) - 1, True
    return 0, (1 << bits) - 1, False
