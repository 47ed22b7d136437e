# SPDX-License-Identifier: Apache-2.0
"""What outlives the agent: maps and links, pinned below <bpffs>/axoneme.

maps/<map>_v<layout>            a changed layout gets a new number, hence a new pin
links/<trunk>-<target>          the target is an ifindex, or "cgroup"
guards/<plugin>                 an empty directory: the plugin is in a stage that keeps packets out
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme._bpf import lib
from axoneme.errors import LayoutMismatch
from axoneme_sdk.btf import Btf

from ._kernel import btf_bytes, check, map_info

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from axoneme_sdk.declarations import MapDeclaration

    from ._kernel import MapInfo


@frozen
class Pins:
    """The pins of one node, below its own bpffs."""

    bpffs: Path
    root: Path = field(init=False)
    maps: Path = field(init=False)
    links: Path = field(init=False)
    guards: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        root = self.bpffs / "axoneme"
        object.__setattr__(self, "root", root)
        object.__setattr__(self, "maps", root / "maps")
        object.__setattr__(self, "links", root / "links")
        object.__setattr__(self, "guards", root / "guards")

    def create(self) -> None:
        """Make the directories, if they are not there."""
        for directory in (self.maps, self.links, self.guards):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def empty(self) -> bool:
        """Whether nobody has pinned anything here yet."""
        return not any(True for d in (self.maps, self.links) for _ in d.iterdir())

    def map_path(self, declaration: MapDeclaration) -> Path:
        """Where a map is pinned."""
        return self.layout_path(declaration.name, declaration.layout)

    def open_map(self, declaration: MapDeclaration, btf: Btf) -> int | None:
        """A pinned map's file descriptor, or None if it is not pinned.

        Raises:
            LayoutMismatch: what is pinned has another type, key or value.
        """
        path = self.map_path(declaration)
        if not path.exists():
            return None
        fd = open_pin(path)
        try:
            found = map_info(fd)
            _compare(path, found, declaration, btf)
            _compare_types(path, found, declaration)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def check_map(self, fd: int, declaration: MapDeclaration, btf: Btf) -> None:
        """Compare a map that is in use with a declaration, but for its types.

        Raises:
            LayoutMismatch: it has another type, key or value.
        """
        _compare(self.map_path(declaration), map_info(fd), declaration, btf)

    def layouts(self, name: str) -> list[int]:
        """The numbers of the layouts in which a map is pinned, in their order."""
        head, found = f"{name}_v", (pin.name for pin in self.maps.iterdir())
        numbers = [n.removeprefix(head) for n in found if n.startswith(head)]
        return sorted(int(number) for number in numbers if number.isdecimal())

    def layout_path(self, name: str, layout: int) -> Path:
        """Where a layout of a map is pinned."""
        return self.maps / pin_name(name, layout)

    def remove_layout(self, name: str, layout: int) -> None:
        """Remove the pin of one layout; nothing happens if it is not there."""
        self.layout_path(name, layout).unlink(missing_ok=True)

    def keep_maps(
        self,
        declarations: Iterable[MapDeclaration],
        plugins: Iterable[str] = (),
        others: Iterable[str] = (),
    ) -> list[str]:
        """Remove all maps' pins but these, other pins by name, and plugins'; which were removed."""
        wanted = {self.map_path(d).name for d in declarations} | set(others)
        prefixes = tuple(f"{plugin.replace('-', '_')}_" for plugin in plugins)
        removed = [
            pin
            for pin in self.maps.iterdir()
            if pin.name not in wanted and not pin.name.startswith(prefixes)
        ]
        for pin in removed:
            pin.unlink()
        return sorted(pin.name for pin in removed)

    def keep_links(self, names: Iterable[str]) -> list[str]:
        """Detach all other links, and remove their pins; which ones these were."""
        stale = sorted({path.name for path in self.links.iterdir()} - set(names))
        for name in stale:
            _detach(self.links / name)
            (self.links / name).unlink()
        return stale

    def guarding(self) -> set[str]:
        """The plugins that keep packets out, by whatever is attached."""
        return {path.name for path in self.guards.iterdir()} if self.guards.is_dir() else set()

    def keep_guards(self, plugins: Iterable[str]) -> None:
        """Say that these plugins keep packets out, and no others."""
        wanted, present = set(plugins), self.guarding()
        for name in wanted - present:
            (self.guards / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in present - wanted:
            (self.guards / name).rmdir()

    def remove(self) -> list[str]:
        """Remove every pin, and detach what is attached by links; which pins these were."""
        removed = []
        for directory in (self.links, self.maps, self.guards):
            for path in sorted(directory.iterdir()) if directory.is_dir() else ():
                if directory == self.links:
                    _detach(path)
                if directory == self.guards:
                    path.rmdir()
                else:
                    path.unlink(missing_ok=True)
                removed.append(f"{directory.name}/{path.name}")
            if directory.is_dir():
                directory.rmdir()
        if self.root.is_dir():
            self.root.rmdir()
        return removed


def _detach(path: Path) -> None:
    """Detach a pinned link now: without its pin the kernel would do it a little later."""
    fd = lib.bpf_obj_get(bytes(path))
    if fd >= 0:
        lib.bpf_link_detach(fd)  # tracepoints' links know no detaching: they go with their pin
        os.close(fd)


def pin_name(name: str, layout: int) -> str:
    """The name of a map's pin."""
    return f"{name}_v{layout}"


def pin(fd: int, path: Path) -> None:
    """Pin an object."""
    check(lib.bpf_obj_pin(fd, bytes(path)))


def open_pin(path: Path) -> int:
    """A new file descriptor of a pinned object."""
    return check(lib.bpf_obj_get(bytes(path)))


def _compare(path: Path, found: MapInfo, declaration: MapDeclaration, btf: Btf) -> None:
    numbers, (key, value) = declaration.definition.numbers, _sizes(declaration, btf)
    wanted = (numbers["type"], key, value, numbers.get("map_flags", 0))
    if (found.type, found.key_size, found.value_size, found.flags) != wanted:
        raise mismatch(
            path,
            declaration,
            "type {}, key {} bytes, value {} bytes, flags {}".format(*wanted),
            f"type {found.type}, key {found.key_size} bytes, value {found.value_size} bytes, "
            f"flags {found.flags}",
        )


def _sizes(declaration: MapDeclaration, btf: Btf) -> tuple[int, int]:
    """The bytes of a key and a value; a ring buffer has neither, whatever lies in it."""
    definition = declaration.definition
    if definition.numbers["type"] == lib.BPF_MAP_TYPE_RINGBUF:
        return 0, 0
    return (
        btf.sizeof(definition.key) if definition.key else 0,
        btf.sizeof(definition.value) if definition.value else 0,
    )


def _compare_types(path: Path, found: MapInfo, declaration: MapDeclaration) -> None:
    if found.btf_id and found.key_type:
        types = Btf(btf_bytes(found.btf_id))
        pinned = types.layout_hash(found.key_type, found.value_type)
        if pinned != declaration.hash:
            raise mismatch(path, declaration, declaration.hash, pinned)


def mismatch(path: Path, declaration: MapDeclaration, expected: str, found: str) -> LayoutMismatch:
    """The error of a map that is there with another layout."""
    return LayoutMismatch(
        f"{path} holds a map of another layout: give the changed struct a new number "
        f"(AXN_LAYOUT({declaration.layout + 1})), or remove the pin",
        map=declaration.name,
        expected=expected,
        found=found,
    )
