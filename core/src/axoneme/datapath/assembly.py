# SPDX-License-Identifier: Apache-2.0
"""An assembly: every image linked and loaded, nothing of it attached.

prepare() leaves out the plugins whose objects cannot be used and says why; the rest is assembled
without them. It raises only for what is no plugin's fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme.errors import DatapathError, LayoutMismatch, VerifierError

from .images import IMAGES, trunk_object
from .linker import LinkedImage, link
from .loaders import LoadRequest
from .maps import DEFAULT_ENTRIES
from .parts import LIBBPF, Part, Refused, Source, read_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from axoneme_sdk.declarations import MapDeclaration

    from axoneme.model import PluginObject

    from .loaders import LoadedObject, LoadedProgram, Loader
    from .maps import Maps
    from .reasons import ReasonRegistry

_ALWAYS = "tc"


@frozen
class LoadedImage:
    """A linked image in the kernel."""

    linked: LinkedImage
    loaded: LoadedObject


@frozen
class LoadedSource:
    """An object that stands alone, in the kernel."""

    source: Source
    loaded: LoadedObject


@define
class Assembly:
    """What would run, or runs."""

    images: dict[str, LoadedImage] = field(factory=dict)
    sources: list[LoadedSource] = field(factory=list)
    refused: list[Refused] = field(factory=list)

    @property
    def programs(self) -> dict[str, LoadedProgram]:
        """The program of each trunk that has one."""
        return {n: p for image in self.images.values() for n, p in image.loaded.programs.items()}

    @property
    def lanes(self) -> dict[str, tuple[str, ...]]:
        """The plugins of each stage that is filled, in order."""
        return {
            stage: plugins
            for image in self.images.values()
            for stage, plugins in image.linked.lanes.items()
        }

    @property
    def maps(self) -> list[MapDeclaration]:
        """Every map that its images define."""
        found = {m.name: m for image in self.images.values() for m in _own_maps(image.linked)}
        return list(found.values())

    def close(self) -> None:
        """Let go of the programs; those that are attached stay."""
        for image in self.images.values():
            image.loaded.close()
        for source in self.sources:
            source.loaded.close()


def _own_maps(linked: LinkedImage) -> list[MapDeclaration]:
    trunk = trunk_object(linked.image).declarations.maps
    parts = [m for part in linked.parts for m in part.declarations.maps if not m.extern]
    return [*trunk, *parts]


@define
class Assembler:
    """Builds assemblies for one node."""

    maps: Maps
    reasons: ReasonRegistry
    find_loader: Callable[[str], Loader | None]
    entries: Mapping[str, int] = field(factory=dict)

    def prepare(self, objects: Mapping[str, Iterable[PluginObject]]) -> Assembly:
        """Read, link and load the objects of each plugin."""
        refused: list[Refused] = []
        parts: list[Part] = []
        sources: list[Source] = []
        for plugin in sorted(objects):
            result = read_parts(plugin, objects[plugin])
            if isinstance(result, Refused):
                refused.append(result)
            else:
                parts += result[0]
                sources += result[1]
        while True:
            assembly = self._try(parts, sources)
            if not isinstance(assembly, Refused):
                assembly.refused = refused
                return assembly
            refused.append(assembly)
            parts = [p for p in parts if p.plugin != assembly.plugin]
            sources = [s for s in sources if s.plugin != assembly.plugin]

    def _try(self, parts: Sequence[Part], sources: Sequence[Source]) -> Assembly | Refused:
        assembly = Assembly()
        try:
            for image in IMAGES:
                loaded = self._image(image, parts)
                if isinstance(loaded, Refused):
                    assembly.close()
                    return loaded
                if loaded is not None:
                    assembly.images[image] = loaded
            for source in sources:
                alone = self._source(source)
                if isinstance(alone, Refused):
                    assembly.close()
                    return alone
                assembly.sources.append(alone)
        except BaseException:
            assembly.close()
            raise
        return assembly

    def _image(self, image: str, parts: Sequence[Part]) -> LoadedImage | Refused | None:
        stages = trunk_object(image).stages
        if image != _ALWAYS and not any(stages & p.stages.keys() for p in parts):
            return None
        linked = link(image, parts, self.reasons)
        if isinstance(linked, Refused):
            return linked
        return self._load(linked)

    def _load(self, linked: LinkedImage) -> LoadedImage | Refused:
        try:
            request = self._request(linked)
        except LayoutMismatch as error:
            owners = [p.plugin for p in linked.parts if _defines(p, error.map)]
            if not owners:
                raise
            return Refused(owners[-1], str(error))
        try:
            loaded = self._loader().load(request)
        except VerifierError as error:
            return self._blame(linked, error)
        self.maps.adopt(_own_maps(linked), {n: m.fd for n, m in loaded.maps.items()})
        return LoadedImage(linked, loaded)

    def _request(self, linked: LinkedImage) -> LoadRequest:
        trunk = trunk_object(linked.image)
        reuse = self.maps.reuse(trunk.declarations.maps, trunk.declarations.btf)
        for part in linked.parts:
            own = [m for m in part.declarations.maps if not m.extern]
            reuse |= self.maps.reuse(own, part.declarations.btf)
        filled = [t.name for t in trunk.trunks if linked.lanes.keys() & set(t.stages)]
        return LoadRequest(
            linked.image,
            linked.data,
            linked.constants,
            DEFAULT_ENTRIES | dict(self.entries) | dict(linked.sizes),
            reuse,
            None if linked.image == _ALWAYS else frozenset(filled),
        )

    def _blame(self, linked: LinkedImage, error: VerifierError) -> Refused:
        """Which plugin the verifier means. It names the lane, or else one must be found by trying."""
        owner = linked.owner(error.stage)
        if owner is None:
            plugin = self._culprit(linked)
            if plugin is None:
                raise error
            owner = (plugin, "")
        refusal = VerifierError(
            error.message, plugin=owner[0], stage=owner[1], trunk=error.trunk, log=error.log
        )
        return Refused(owner[0], str(refusal))

    def _culprit(self, linked: LinkedImage) -> str | None:
        """The plugin without which the image loads, last in order first."""
        for plugin in sorted({p.plugin for p in linked.parts}, reverse=True):
            rest = [p for p in linked.parts if p.plugin != plugin]
            without = link(linked.image, rest, self.reasons)
            if isinstance(without, Refused):
                continue
            try:
                self._loader().load(self._request(without)).close()
            except DatapathError:
                continue
            return plugin
        return None

    def _loader(self) -> Loader:
        loader = self.find_loader(LIBBPF)
        if loader is None:
            raise DatapathError(f"nobody provides the loader {LIBBPF}, which trunks need")
        return loader

    def _source(self, source: Source) -> LoadedSource | Refused:
        loader = self.find_loader(source.loader)
        if loader is None:
            return Refused(source.plugin, f"{source.name}: nobody provides a loader {source.loader}")
        try:
            return LoadedSource(source, loader.load(LoadRequest(source.plugin, source.text)))
        except DatapathError as error:
            return Refused(source.plugin, f"{source.name}: {error}")


def _defines(part: Part, name: str) -> bool:
    return any(m.name == name and not m.extern for m in part.declarations.maps)
