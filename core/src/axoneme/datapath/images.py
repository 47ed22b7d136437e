# SPDX-License-Identifier: Apache-2.0
"""Core's own objects: the trunks, and which stages each of them runs.

An *image* is one of these objects linked with those of the plugins that fill its stages.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.errors import DatapathError
from axoneme_sdk.declarations import Declarations

if TYPE_CHECKING:
    from types import ModuleType

_REBUILD = "build it with `uv sync --reinstall-package axoneme`"

#: The images in the order in which they are loaded: the first creates the maps that all share.
IMAGES = ("tc", "xdp", "socket")


@frozen
class Trunk:
    """One program of an image, and the stages that it runs, in order."""

    name: str
    image: str
    stages: tuple[str, ...]


@frozen
class TrunkObject:
    """One of core's objects."""

    image: str
    data: bytes
    declarations: Declarations
    trunks: tuple[Trunk, ...]

    @property
    def stages(self) -> frozenset[str]:
        """The stages that plugins may fill here."""
        return frozenset(stage for trunk in self.trunks for stage in trunk.stages)


@cache
def trunk_object(image: str) -> TrunkObject:
    """Read a core object.

    Raises:
        DatapathError: the object is missing, as after `git clean`.
    """
    source = files("axoneme") / "bpf" / f"{image}.bpf.o"
    if not source.is_file():
        raise DatapathError(f"core's object {image}.bpf.o is missing: {_REBUILD}")
    data = source.read_bytes()
    declarations = Declarations.read(data)
    trunks = tuple(_trunks(image, declarations))
    return TrunkObject(image, data, declarations, trunks)


def _trunks(image: str, declarations: Declarations) -> list[Trunk]:
    found = []
    for symbol in declarations.elf.functions():
        stages = dict(declarations.btf.tags("func", symbol.name)).get("stages")
        if stages is not None:
            found.append(Trunk(symbol.name, image, tuple(stages.split())))
    return found


def all_stages() -> dict[str, str]:
    """Every stage and the image that runs it."""
    return {stage: image for image in IMAGES for stage in sorted(trunk_object(image).stages)}


def trunk(name: str) -> Trunk:
    """A trunk by its name."""
    for image in IMAGES:
        for candidate in trunk_object(image).trunks:
            if candidate.name == name:
                return candidate
    raise DatapathError(f"no trunk {name}")


def trunk_names() -> frozenset[str]:
    """The names of all trunks."""
    return frozenset(t.name for image in IMAGES for t in trunk_object(image).trunks)


@cache
def shared_codec() -> ModuleType:
    """The codec of the maps that core owns.

    Raises:
        DatapathError: it is missing, as after `git clean`.
    """
    try:
        return import_module("axoneme.datapath._codec")
    except ModuleNotFoundError:
        raise DatapathError(f"the codec of core's maps is missing: {_REBUILD}") from None
