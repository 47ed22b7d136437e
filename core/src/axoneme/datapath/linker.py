# SPDX-License-Identifier: Apache-2.0
"""Link a trunk's object with those of plugins, by libbpf's static linker.

A plugin's function stage_<name> becomes stage_<name>_<lane>, which replaces the trunk's weak one.
The reasons, knobs and gates of the result are constants, set before it is loaded. Each lane's
function is tagged with its plugin, so that a loaded program says itself who is in it.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme._bpf import ffi, lib
from axoneme.errors import LinkError
from axoneme_sdk.btf import Btf, BtfError
from axoneme_sdk.elf import Elf, ElfError

from ._kernel import libbpf_messages
from .images import trunk_object
from .ordering import RECALL, REMEMBER, order_lanes, wanting_each_packet
from .parts import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .images import TrunkObject
    from .parts import Part, Source
    from .reasons import ReasonRegistry

_GATE_BYTES = 4
_HOME = "tc"  # the image that has every shared map
_BUILD = "build the plugin again with this core's axoneme-sdk"
_LICENSE = "LICENSE"  # the same in all objects, and linked as one
_REASON_BYTES = 2
#: The tag on a lane's function that says whose it is: it goes into the kernel with the program.
PLUGIN_TAG = "plugin"


@frozen
class LinkedImage:
    """An image that is ready to load: its bytes, the values of its constants, its maps' sizes.

    asked_always: by plugin that would recall, those for whose sake it must not.
    """

    image: str
    data: bytes = field(repr=False)
    constants: Mapping[str, bytes]
    sizes: Mapping[str, int]
    lanes: Mapping[str, tuple[str, ...]]
    asked_always: Mapping[str, tuple[str, ...]]
    parts: tuple[Part, ...] = field(repr=False)
    link_seconds: float

    def owner(self, function: str) -> tuple[str, str] | None:
        """The plugin and the stage of a function stage_<name>_<lane>."""
        name, _, lane = function.removeprefix("stage_").rpartition("_")
        plugins = self.lanes.get(name, ())
        return (plugins[int(lane)], name) if lane.isdigit() and int(lane) < len(plugins) else None


def link(image: str, parts: Sequence[Part], reasons: ReasonRegistry) -> LinkedImage | Refused:
    """Link an image with the parts that fill stages of it, or say which plugin has to leave.

    Raises:
        LinkError: the fault lies with no plugin.
    """
    started = time.perf_counter()
    trunk = trunk_object(image)
    filling = [p for p in parts if trunk.stages & p.stages.keys()]
    lanes: dict[str, list[Part]] = {}
    for stage in sorted({s for p in filling for s in p.stages if s in trunk.stages}):
        ordered = order_lanes(stage, filling)
        if isinstance(ordered, Refused):
            return ordered
        lanes[stage] = ordered
    closed = _closed(trunk, lanes, filling)
    called = _close(lanes, closed)
    clash = _clash(trunk, filling)
    if clash is not None:
        return clash
    objects = []
    for part in filling:
        try:
            objects.append((part, _take_lanes(part, lanes)))
        except (ElfError, BtfError) as error:
            return Refused(part.plugin, f"{part.name}: {error}: install the plugin again")
    linked = _link_objects(image, trunk.data, objects)
    if isinstance(linked, Refused):
        return linked
    constants = _gates(called)
    for part in filling:
        constants |= part.constants
        numbers = reasons.assign(part)
        constants |= {n: v.to_bytes(_REASON_BYTES, "little") for n, v in numbers.items()}
    return LinkedImage(
        image,
        linked,
        constants,
        {name: size for part in filling for name, size in part.sizes.items()},
        {stage: tuple(p.plugin for p in ordered) for stage, ordered in called.items() if ordered},
        closed,
        tuple(filling),
        time.perf_counter() - started,
    )


def link_alone(source: Source) -> bytes | Refused:
    """Link an object that stands alone with the trunks that have the maps it borrows.

    Raises:
        LinkError: the fault does not lie with it.
    """
    trunk = trunk_object(_HOME)
    return _link_objects(_HOME, trunk.data, [(source, source.text)])


def _closed(
    trunk: TrunkObject, lanes: Mapping[str, Sequence[Part]], filling: Sequence[Part]
) -> dict[str, tuple[str, ...]]:
    """The plugins that must not recall, each with those for whose sake."""
    recalling = sorted({part.plugin for part in lanes.get(RECALL, ())})
    found = {plugin: wanting_each_packet(plugin, trunk.trunks, filling) for plugin in recalling}
    return {plugin: others for plugin, others in found.items() if others}


def _close(
    lanes: dict[str, list[Part]], closed: Mapping[str, tuple[str, ...]]
) -> dict[str, list[Part]]:
    """Put lanes that must not be called behind those that are: the gate is in between."""
    called = dict(lanes)
    for stage in (RECALL, REMEMBER):
        if stage not in lanes:
            continue
        lanes[stage].sort(key=lambda part: part.plugin in closed)
        called[stage] = [part for part in lanes[stage] if part.plugin not in closed]
    return called


def _clash(trunk: TrunkObject, filling: Sequence[Part]) -> Refused | None:
    """The first part that defines a symbol which is there already: the linker knows no plugins."""
    owners = {symbol.name: "core" for symbol in trunk.declarations.elf.globals()}
    for part in filling:
        stages = {stage.symbol for stage in part.declarations.stages}
        for symbol in part.declarations.elf.globals():
            if symbol.name in stages or symbol.name == _LICENSE:
                continue
            owner = owners.setdefault(symbol.name, part.plugin)
            if owner != part.plugin:
                return Refused(
                    part.plugin,
                    f"{part.name} defines {symbol.name}, and so does {owner}: rename it, or "
                    "disable one of the two",
                )
    return None


def _gates(lanes: Mapping[str, Sequence[Part]]) -> dict[str, bytes]:
    return {f"lanes_{s}": len(ps).to_bytes(_GATE_BYTES, "little") for s, ps in lanes.items()}


def _take_lanes(part: Part, lanes: Mapping[str, Sequence[Part]]) -> bytes:
    elf = Elf(part.data)
    for stage in part.stages:
        if stage not in lanes:  # of another image: the function stays, and nobody calls it
            continue
        old = f"stage_{stage}"
        new = f"{old}_{lanes[stage].index(part)}"
        elf.rename(old, new)
        renamed = Btf(elf.content(".BTF")).rename_function(old, new)
        elf.replace_section(".BTF", Btf(renamed).tag_function(new, PLUGIN_TAG, part.plugin))
    return bytes(elf.data)


def _link_objects(
    image: str, trunk: bytes, objects: Sequence[tuple[Part | Source, bytes]]
) -> bytes | Refused:
    """libbpf 1.1 links files only: these are files in memory."""
    out = os.memfd_create(f"{image}.linked")
    linker = lib.bpf_linker__new(_path(out), ffi.NULL)
    try:
        with libbpf_messages() as messages:
            if linker == ffi.NULL:
                raise LinkError(f"{image}: the linker does not start: {'; '.join(messages)}")
            if _add(linker, trunk) < 0:
                raise LinkError(f"{image}: core's object does not link: {'; '.join(messages)}")
            for part, data in objects:
                if _add(linker, data) < 0:
                    why = "; ".join(messages) or "libbpf does not say why"
                    return Refused(part.plugin, f"{part.name} does not link: {why}: {_BUILD}")
            if lib.bpf_linker__finalize(linker) < 0:
                raise LinkError(f"{image}: does not link: {'; '.join(messages)}")
        return _content(out)
    finally:
        lib.bpf_linker__free(linker)
        os.close(out)


def _add(linker: object, data: bytes) -> int:
    file = os.memfd_create("object")
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        return int(lib.bpf_linker__add_file(linker, _path(file), ffi.NULL))
    finally:
        os.close(file)


def _path(file: int) -> bytes:
    return f"/proc/self/fd/{file}".encode()


def _content(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)
