# SPDX-License-Identifier: Apache-2.0
"""The maps that are in use: one file descriptor each, whichever images share them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.errors import DatapathError, LayoutMismatch, nearest

from ._kernel import map_info
from .images import shared_codec
from .pins import pin
from .tables import Layout, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from axoneme_sdk.btf import Btf
    from axoneme_sdk.declarations import MapDeclaration

    from .pins import Pins

#: Entries of the maps that core owns, unless the configuration says otherwise.
DEFAULT_ENTRIES = {
    "endpoints": 65536,
    "counters": 64,  # trunks * 8 verdicts, with room for trunks to come
    "drops": 4096,
    "probes": 64,
    "reasons": 4096,
}


@define
class Maps:
    """Opens pinned maps, takes over new ones, and makes tables of them."""

    pins: Pins
    _fds: dict[str, int] = field(factory=dict, init=False)
    _declarations: dict[str, MapDeclaration] = field(factory=dict, init=False)

    def reuse(self, declarations: Iterable[MapDeclaration], btf: Btf) -> dict[str, int]:
        """The file descriptors of those maps that exist, here or as a pin.

        Raises:
            LayoutMismatch: a map exists with another layout.
        """
        found = {}
        for declaration in declarations:
            fd = self._existing(declaration, btf)
            if fd is not None:
                found[declaration.name] = fd
        return found

    def _existing(self, declaration: MapDeclaration, btf: Btf) -> int | None:
        name, known = declaration.name, self._declarations.get(declaration.name)
        if known is not None and known.layout == declaration.layout:
            if known.hash != declaration.hash:
                raise LayoutMismatch(
                    "two objects define it differently: build them against the same headers",
                    map=name,
                    expected=known.hash,
                    found=declaration.hash,
                )
            return self._fds[name]
        fd = self.pins.open_map(declaration, btf)
        if fd is not None:
            self._keep(declaration, fd)
        return fd

    def adopt(self, declarations: Iterable[MapDeclaration], fds: Mapping[str, int]) -> None:
        """Pin and keep the maps that a load has made."""
        for declaration in declarations:
            if declaration.name in fds and not self._has(declaration):
                fd = os.dup(fds[declaration.name])
                pin(fd, self.pins.map_path(declaration))
                self._keep(declaration, fd)

    def _has(self, declaration: MapDeclaration) -> bool:
        known = self._declarations.get(declaration.name)
        return known is not None and known.layout == declaration.layout

    def _keep(self, declaration: MapDeclaration, fd: int) -> None:
        old = self._fds.pop(declaration.name, None)
        if old is not None:
            os.close(old)
        self._fds[declaration.name] = fd
        self._declarations[declaration.name] = declaration

    def retain(self, declarations: Iterable[MapDeclaration]) -> None:
        """Let go of all other maps, and of their pins."""
        wanted = list(declarations)
        names = {d.name for d in wanted}
        for name in self._fds.keys() - names:
            os.close(self._fds.pop(name))
            del self._declarations[name]
        self.pins.keep_maps(wanted)

    def table(self, name: str, codec: ModuleType | None = None) -> Table:
        """A map as a table, by a plugin's codec, or core's own for the shared ones.

        Raises:
            LayoutMismatch: the codec was built for another layout than the map has.
            DatapathError: there is no such map.
        """
        codec = codec or shared_codec()
        if name not in self._fds or name not in codec.MAPS:
            hint = nearest(name, self._fds)
            did_you_mean = f"; did you mean {hint!r}?" if hint else ""
            raise DatapathError(f"no map {name} is loaded{did_you_mean}")
        declaration = self._declarations[name]
        if codec.MAPS[name][2] != declaration.hash:
            raise LayoutMismatch(
                f"{codec.__name__} was generated for another layout: build the plugin again",
                map=name,
                expected=declaration.hash,
                found=codec.MAPS[name][2],
            )
        setting = f"agent.map-entries.{name}" if codec is shared_codec() else ""
        return Table(self._fds[name], Layout.of(codec, name), setting=setting)

    def fill(self) -> dict[str, int]:
        """max_entries of each map."""
        return {name: map_info(fd).max_entries for name, fd in sorted(self._fds.items())}

    def descriptor(self, name: str) -> int:
        """A map's file descriptor, for what a table does not do."""
        return self._fds[name]

    def close(self) -> None:
        """Close all; the pins stay."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self._declarations.clear()
