# SPDX-License-Identifier: Apache-2.0
"""An assembly: every image linked and loaded, nothing of it attached.

prepare() leaves out the plugins whose objects cannot be used and says why; the rest is assembled
without them. It raises only for what is no plugin's fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme.errors import DatapathError, LayoutMismatch, VerifierError

from ._iterators import MAP_ITERATOR
from .attachments import raw_tracepoint
from .images import IMAGES, trunk_object
from .linker import link, link_alone
from .loaders import LoadRequest
from .maps import DEFAULT_ENTRIES
from .parts import LIBBPF, Refused, read_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from axoneme.model import PluginObject
    from axoneme_sdk.declarations import MapDeclaration

    from .linker import LinkedImage
    from .loaders import LoadedObject, LoadedProgram, Loader
    from .maps import Maps
    from .parts import Part, Source
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
    """What would run, or runs; `made` are the maps that were not there before it."""

    images: dict[str, LoadedImage] = field(factory=dict)
    sources: list[LoadedSource] = field(factory=list)
    refused: list[Refused] = field(factory=list)
    made: list[MapDeclaration] = field(factory=list)
    _maps: Maps | None = None

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
    def asked_always(self) -> dict[str, tuple[str, ...]]:
        """The plugins that must not recall packets, each with those that want to see them all."""
        return {
            plugin: others
            for image in self.images.values()
            for plugin, others in image.linked.asked_always.items()
        }

    @property
    def maps(self) -> list[MapDeclaration]:
        """Every map that its images define."""
        found = {m.name: m for image in self.images.values() for m in _own_maps(image.linked)}
        return list(found.values())

    def close(self) -> None:
        """Let go of the programs; those that are attached stay, and so do maps once in effect."""
        for image in self.images.values():
            image.loaded.close()
        for source in self.sources:
            source.loaded.close()
        if self._maps is not None:
            self._maps.drop(self.made)
        self.made.clear()


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
        assembly = Assembly(maps=self.maps)
        try:
            refused = self._fill(assembly, parts, sources)
        except BaseException:
            assembly.close()
            raise
        if refused is not None:
            assembly.close()
        return refused or assembly

    def _fill(
        self, assembly: Assembly, parts: Sequence[Part], sources: Sequence[Source]
    ) -> Refused | None:
        """Load into an assembly, up to the first plugin that cannot be used."""
        for image in IMAGES:
            if image != _ALWAYS and not any(_fills(p, image) for p in parts):
                continue
            loaded = self._image(image, parts)
            if isinstance(loaded, Refused):
                return loaded
            assembly.images[image] = loaded
            fds = {n: m.fd for n, m in loaded.loaded.maps.items()}
            assembly.made += self.maps.adopt(_own_maps(loaded.linked), fds)
        for source in sources:
            alone = self._source(source)
            if isinstance(alone, Refused):
                return alone
            assembly.sources.append(alone)
        return None

    def _image(self, image: str, parts: Sequence[Part]) -> LoadedImage | Refused:
        try:
            return self._build(image, parts)
        except DatapathError as error:
            found = self._culprit(image, parts, error)
            if found is None:
                raise
            return found

    def _build(self, image: str, parts: Sequence[Part]) -> LoadedImage | Refused:
        """Link and load an image.

        Raises:
            DatapathError: the kernel, or the linker, does not say whom it means.
        """
        linked = link(image, parts, self.reasons)
        if isinstance(linked, Refused):
            return linked
        try:
            return LoadedImage(linked, self._loader().load(self._request(linked)))
        except LayoutMismatch as error:
            owners = [p.plugin for p in linked.parts if _defines(p, error.map)]
            if not owners:
                raise
            return Refused(owners[-1], str(error))
        except VerifierError as error:
            owner = linked.owner(error.stage)
            if owner is None:
                raise
            return _refusal(error, *owner)

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

    def _culprit(self, image: str, parts: Sequence[Part], error: DatapathError) -> Refused | None:
        """The first plugin that, put beside those before it, does not load: found by trying.

        None if the trunk does not load by itself: then no plugin can be to blame.
        """
        plugins = sorted({p.plugin for p in parts if _fills(p, image)})
        for count in range(len(plugins) + 1):
            try:
                built = self._build(image, [p for p in parts if p.plugin in plugins[:count]])
            except DatapathError as found:
                return _refusal(found, plugins[count - 1]) if count else None
            if isinstance(built, Refused):
                return built
            built.loaded.close()
        return _refusal(error, plugins[-1]) if plugins else None

    def _loader(self) -> Loader:
        loader = self.find_loader(LIBBPF)
        if loader is None:
            raise DatapathError(f"nobody provides the loader {LIBBPF}, which trunks need")
        return loader

    def _source(self, source: Source) -> LoadedSource | Refused:
        loader = self.find_loader(source.loader)
        if loader is None:
            return Refused(
                source.plugin, f"{source.name}: nobody provides a loader {source.loader}"
            )
        try:
            request = self._request_alone(source)
            if isinstance(request, Refused):
                return request
            loaded = loader.load(request)
        except DatapathError as error:
            return Refused(source.plugin, f"{source.name}: {error}")
        except Exception as error:  # noqa: BLE001 - a loader may be a plugin's own
            text = f"the loader {source.loader} failed: {type(error).__name__}: {error}"
            return Refused(source.plugin, f"{source.name}: {text}")
        for program in loaded.programs.values():
            if not raw_tracepoint(program.attach) and program.attach != MAP_ITERATOR:
                loaded.close()
                return Refused(
                    source.plugin,
                    f"{source.name}: nobody attaches {program.name} ({program.attach}): a program "
                    f"that stands alone is one of raw_tp/<event> or {MAP_ITERATOR}",
                )
        return LoadedSource(source, loaded)

    def _request_alone(self, source: Source) -> LoadRequest | Refused:
        if not source.borrows:
            return LoadRequest(source.plugin, source.text, source.constants, source.sizes)
        linked = link_alone(source)
        if isinstance(linked, Refused):
            return linked
        shared = trunk_object(_ALWAYS).declarations
        return LoadRequest(
            source.plugin,
            linked,
            source.constants,
            source.sizes,
            self.maps.reuse(shared.maps, shared.btf),
            source.programs,
        )


def _fills(part: Part, image: str) -> bool:
    return bool(trunk_object(image).stages & part.stages.keys())


def _defines(part: Part, name: str) -> bool:
    return any(m.name == name and not m.extern for m in part.declarations.maps)


def _refusal(error: DatapathError, plugin: str, stage: str = "") -> Refused:
    if isinstance(error, VerifierError):
        error = VerifierError(
            error.message, plugin=plugin, stage=stage, trunk=error.trunk, log=error.log
        )
    return Refused(plugin, str(error))
