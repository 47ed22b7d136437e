# SPDX-License-Identifier: Apache-2.0
"""The maps that are in use: one file descriptor each, whichever images share them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.errors import DatapathError, LayoutMismatch, nearest

from .images import shared_codec
from .pins import mismatch, pin, pin_name
from .tables import Layout, Table
from .usage import size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from axoneme_sdk.btf import Btf
    from axoneme_sdk.declarations import MapDeclaration

    from .pins import Pins
    from .usage import Usage

#: The maps whose entries the configuration sets.
SIZEABLE = frozenset(
    {"endpoints", "ipcache", "cidrs", "nodes", "conntrack", "policy", "rule_sets", "events"}
)
#: Entries of the maps that core owns, unless the configuration says otherwise.
DEFAULT_ENTRIES = {
    "endpoints": 65536,
    "ipcache": 65536,
    "cidrs": 16384,
    "nodes": 16384,
    "conntrack": 65536,
    "policy": 65536,
    "rule_sets": 16384,
    "runtime": 1,
    "rules": 65536,
    "counters": 64,  # trunks * 8 verdicts, with room for trunks to come
    "drops": 4096,
    "probes": 16,
    "reasons": 4096,
    "events": 1 << 22,  # bytes
    "event_counters": 3,  # types
}


@define
class Maps:
    """Opens pinned maps, takes over new ones, and makes tables of them.

    A map is known by the name of its pin, so that one whose layout changes is there in both
    layouts until the programs that use the old one are gone.
    """

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
        known = self._declarations.get(_key(declaration))
        if known is not None:
            fd = self._fds[_key(declaration)]
            self.pins.check_map(fd, declaration, btf)
            if known.hash != declaration.hash:
                path = self.pins.map_path(declaration)
                raise mismatch(path, declaration, declaration.hash, known.hash)
            return fd
        found = self.pins.open_map(declaration, btf)
        if found is not None:
            self._keep(declaration, found)
        return found

    def adopt(
        self, declarations: Iterable[MapDeclaration], fds: Mapping[str, int]
    ) -> list[MapDeclaration]:
        """Pin and keep those maps that a load has made; which ones these were."""
        made = [d for d in declarations if d.name in fds and _key(d) not in self._fds]
        for declaration in made:
            fd = os.dup(fds[declaration.name])
            try:
                pin(fd, self.pins.map_path(declaration))
            except BaseException:
                os.close(fd)
                raise
            self._keep(declaration, fd)
        return made

    def _keep(self, declaration: MapDeclaration, fd: int) -> None:
        self._fds[_key(declaration)] = fd
        self._declarations[_key(declaration)] = declaration

    def drop(self, declarations: Iterable[MapDeclaration]) -> None:
        """Let go of maps that nothing uses after all, and remove their pins."""
        for declaration in declarations:
            self._close(_key(declaration))
            self.pins.map_path(declaration).unlink(missing_ok=True)

    def retain(
        self,
        declarations: Iterable[MapDeclaration],
        plugins: Iterable[str] = (),
        others: Iterable[str] = (),
    ) -> None:
        """Let go of all other maps, and of their pins but for other ones by name and plugins'."""
        wanted = list(declarations)
        for key in self._fds.keys() - {_key(d) for d in wanted}:
            self._close(key)
        self.pins.keep_maps(wanted, plugins, others)

    def _close(self, key: str) -> None:
        if key in self._fds:
            os.close(self._fds.pop(key))
            del self._declarations[key]

    def table(self, name: str, codec: ModuleType | None = None) -> Table:
        """A map as a table, by a plugin's codec, or core's own for the shared ones.

        Raises:
            LayoutMismatch: the codec was built for another layout than the map has.
            DatapathError: there is no such map.
        """
        codec = codec or shared_codec()
        loaded = self._newest()
        if name not in loaded or name not in codec.MAPS:
            hint = nearest(name, loaded)
            did_you_mean = f"; did you mean {hint!r}?" if hint else ""
            raise DatapathError(f"no map {name} is loaded{did_you_mean}")
        layout_hash, number = codec.MAPS[name][2:]
        declaration = self._declarations.get(pin_name(name, number), loaded[name])
        if layout_hash != declaration.hash:
            raise LayoutMismatch(
                f"{codec.__name__} was generated for another layout: build the plugin again",
                map=name,
                expected=declaration.hash,
                found=layout_hash,
            )
        setting = f"agent.map-entries.{name}" if name in SIZEABLE else ""
        return Table(self._fds[_key(declaration)], Layout.of(codec, name), setting=setting)

    def _newest(self) -> dict[str, MapDeclaration]:
        """The maps by name, each in the highest layout that there is."""
        return {d.name: d for d in sorted(self._declarations.values(), key=lambda d: d.layout)}

    @property
    def names(self) -> tuple[str, ...]:
        """The maps that there are."""
        return tuple(sorted(self._newest()))

    def sizes(self) -> dict[str, Usage]:
        """What each map has room for, by name; how full they are, a `FillReader` counts."""
        return {name: size_of(self.descriptor(name)) for name in self.names}

    def known(self, name: str) -> list[MapDeclaration]:
        """The layouts of a map that are in use here."""
        return [d for d in self._declarations.values() if d.name == name]

    def descriptor(self, name: str, layout: int | None = None) -> int:
        """A map's file descriptor, for what a table does not do; by default of its last layout."""
        number = self._newest()[name].layout if layout is None else layout
        return self._fds[pin_name(name, number)]

    def repin(self) -> list[str]:
        """Pin again those whose pins somebody has removed; the names of these pins."""
        paths = {key: self.pins.maps / key for key in sorted(self._fds)}
        gone = [key for key, path in paths.items() if not path.exists()]
        for key in gone:
            pin(self._fds[key], paths[key])
        return gone

    def close(self) -> None:
        """Close all; the pins stay."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self._declarations.clear()


def _key(declaration: MapDeclaration) -> str:
    return pin_name(declaration.name, declaration.layout)
