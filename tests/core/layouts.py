# SPDX-License-Identifier: Apache-2.0
"""Golden layouts: the bytes of every map of every distribution, as text that git keeps.

    python -m tests.core.layouts

writes what is new, and refuses what is wrong: a layout that changed without a new number.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from axoneme.datapath import map_type_names
from axoneme_sdk.codec import flatten
from axoneme_sdk.declarations import Declarations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme_sdk.declarations import MapDeclaration

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
COMMAND = "python -m tests.core.layouts"
_PROJECTS = ("core", "plugins/*", "examples/*")
_HEAD = f"# The bytes that maps hold. Written by `{COMMAND}`, which a test tells you to run.\n"


@dataclass(frozen=True)
class Layout:
    """One map's: its number, and a row for each field with offset, size and kind."""

    map: str
    number: int
    rows: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.map} layout {self.number}", *self.rows, ""])


def distributions() -> dict[str, Path]:
    """The directories of all distributions that have eBPF sources, by name."""
    found = {}
    for pattern in _PROJECTS:
        for settings in sorted(ROOT.glob(f"{pattern}/pyproject.toml")):
            if any(settings.parent.glob("src/*/bpf/*.bpf.c")):
                name = tomllib.loads(settings.read_text())["project"]["name"]
                found[name] = settings.parent
    return found


def compiled(directory: Path) -> Iterator[bytes]:
    """The objects of a distribution, as its build has left them."""
    for source in sorted(directory.glob("src/*/bpf/*.bpf.c")):
        yield source.with_suffix(".o").read_bytes()


def layouts(objects: Iterable[bytes]) -> dict[str, Layout]:
    """The layouts of the maps that objects define."""
    found: dict[str, Layout] = {}
    for data in objects:
        declarations = Declarations.read(data)
        for declaration in declarations.maps:
            if not declaration.extern:
                found[declaration.name] = _layout(declarations, declaration)
    return dict(sorted(found.items()))


def _layout(declarations: Declarations, declaration: MapDeclaration) -> Layout:
    numbers = declaration.definition.numbers
    kind = map_type_names()[numbers["type"]]
    # The hash tells what the rows do not: what is inside arrays of structs, and of unions.
    rows = [f"  {kind}, flags {numbers.get('map_flags', 0)}, hash {declaration.hash}"]
    for part in ("key", "value"):
        type_id = getattr(declaration.definition, part)
        if type_id:
            rows.append(f"  {part} of {declarations.btf.sizeof(type_id)} bytes")
            fields = flatten(declarations.btf, type_id)
            rows += [
                f"    {at:4} {size:4} {kind:6} {name}".rstrip() for name, at, size, kind in fields
            ]
    return Layout(declaration.name, declaration.layout, tuple(rows))


def read(path: Path) -> dict[str, Layout]:
    """What a golden file has; nothing if there is none."""
    found: dict[str, Layout] = {}
    if path.exists():
        blocks = path.read_text().removeprefix(_HEAD).strip("\n").split("\n\n")
        for head, *rows in (block.split("\n") for block in blocks if block):
            name, _, number = head.split()
            found[name] = Layout(name, int(number), tuple(rows))
    return found


def compare(golden: dict[str, Layout], found: dict[str, Layout]) -> list[str]:
    """What is wrong: sentences that say what to do."""
    problems = []
    for name, layout in found.items():
        old = golden.get(name)
        if old is None or old.number != layout.number:
            problems.append(f"map {name}, layout {layout.number}, is not kept yet: {COMMAND}")
        elif old != layout:
            problems.append(
                f"map {name} has another layout under the same number: give the changed struct "
                f"AXN_LAYOUT({layout.number + 1}), so that a pin of the old one is not taken for "
                f"it\nwas {old}\nis {layout}"
            )
    problems += [f"map {name} is gone: {COMMAND}" for name in golden.keys() - found.keys()]
    return problems


def main() -> int:
    """Write the golden files, but none in which a number is missing."""
    wrong = 0
    for name, directory in distributions().items():
        path, found = GOLDEN / f"{name}.layout", layouts(compiled(directory))
        problems = [p for p in compare(read(path), found) if COMMAND not in p]
        if problems:
            print(f"{name}: {problems}")
            wrong = 1
        else:
            path.write_text("\n".join([_HEAD, *map(str, found.values())]))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
