# SPDX-License-Identifier: Apache-2.0
"""Rows that go along when the layout of their map changes, to a newer one or to an older one.

The map of the new layout is filled before its programs are attached. Until the last place has the
new programs the old ones still write into the old map, so that what is there is taken over once
more afterwards; then the old pin goes. Both maps are pinned from the beginning to the end: whoever
starts after a crash in between, with either layout, finds both and does the same again.

Nothing of the other layout need be known: its types are read from the pinned map. Where names of
fields do not suffice, a Converter turns its rows.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, field, frozen

from axoneme.errors import AxonemeError, MapError
from axoneme_sdk.btf import Btf, BtfError
from axoneme_sdk.compile import BuildError

from ._convert import Converted, convert, gather, layout_from, pick
from ._grace import wait_for_programs
from ._kernel import btf_bytes, map_info
from ._layout import Layout
from ._merge import merge
from .pins import open_pin, pin_name
from .tables import Rows, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from axoneme_sdk.declarations import MapDeclaration

    from .maps import Maps

#: Turns packed keys and values of the first layout into rows of the second.
Converter: TypeAlias = Callable[[Layout, Layout, bytes, bytes], Converted]

_TAG = "carried"
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


@frozen
class Carried:
    """What became of the rows of one map: how many were written, and how many had no place."""

    map: str
    source: int
    target: int
    rows: int = 0
    left: int = 0
    problem: str = ""

    def __str__(self) -> str:
        """Return a sentence for the log."""
        way = f"map {self.map}, layout {self.source} to {self.target}"
        if self.problem:
            return f"{way}: its rows are not carried: {self.problem}"
        left = f"; {self.left} that do not fit are left behind" if self.left else ""
        return f"{way}: {self.rows} rows carried{left}"


@frozen
class Order:
    """How the later one of two rows is known: by the greater field >> shift; 0 is no row."""

    offset: int
    size: int
    shift: int

    def of(self, value: Any) -> int:
        """Return the place of a packed value in time."""
        return int.from_bytes(value[self.offset : self.offset + self.size], "little") >> self.shift


@define
class Carrier:
    """Carries the rows of a node's maps."""

    maps: Maps
    converters: Mapping[str, Converter] = field(factory=dict)

    def sources(self, declarations: Iterable[MapDeclaration]) -> list[tuple[MapDeclaration, int]]:
        """The maps that are carried and pinned in another layout as well, with its number."""
        return [(d, number) for d, number in self._others(declarations) if is_carried(d)]

    def _others(self, declarations: Iterable[MapDeclaration]) -> list[tuple[MapDeclaration, int]]:
        return [
            (declaration, number)
            for declaration in declarations
            for number in self.maps.pins.layouts(declaration.name)
            if number != declaration.layout
        ]

    def pins(self, declarations: Iterable[MapDeclaration]) -> list[str]:
        """The names of the pins that are still to be carried from."""
        return [pin_name(d.name, number) for d, number in self.sources(declarations)]

    def fill(
        self, declarations: Iterable[MapDeclaration], made: Iterable[MapDeclaration] = ()
    ) -> list[Carried]:
        """Carry what other layouts of these maps hold; nobody has used those just made."""
        idle = {declaration.name for declaration in made}
        return [
            self._carry(declaration, number, idle=declaration.name in idle)
            for declaration, number in self.sources(declarations)
        ]

    def finish(self, declarations: Iterable[MapDeclaration]) -> list[Carried]:
        """Carry what the old programs wrote until they were gone, and drop other layouts' pins."""
        found = self._others(declarations)
        by_programs = [(d, number) for d, number in found if _rule(d)]
        if by_programs:
            wait_for_programs()
        carried = [self._carry(declaration, number) for declaration, number in by_programs]
        for declaration, number in found:
            self.maps.pins.remove_layout(declaration.name, number)
        return carried

    def give_back(self, made: Iterable[MapDeclaration]) -> list[Carried]:
        """Carry to the maps of before what programs wrote into new ones that now go."""
        found = [(d, number) for d, number in self.sources(made) if _rule(d)]
        if found:
            wait_for_programs()
        return [
            self._carry(older, declaration.layout)
            for declaration, number in found
            for older in self.maps.known(declaration.name)
            if older.layout == number
        ]

    def _carry(self, declaration: MapDeclaration, number: int, *, idle: bool = False) -> Carried:
        name, target = declaration.name, declaration.layout
        try:
            rows, left, order = self._converted(declaration, number)
            table = Table(self.maps.descriptor(name, target), rows.layout)
            written, full = merge(table, rows, order, idle=idle)
        except MapError as error:
            return Carried(name, number, target, problem=error.message)
        except (AxonemeError, BtfError, BuildError, OSError) as error:
            return Carried(name, number, target, problem=str(error))
        return Carried(name, number, target, written, left + full)

    def _converted(
        self, declaration: MapDeclaration, number: int
    ) -> tuple[Rows, int, Order | None]:
        """The rows of another layout in the form of ours, and how many have none."""
        name = declaration.name
        new = _layout_of(self.maps.descriptor(name, declaration.layout), name, declaration.layout)
        order = _order(declaration, new)
        with _opened(self.maps, name, number) as source:
            old = _layout_of(source, name, number)
            found = Table(source, old).read()
        turn: Converter = self.converters.get(name, convert)
        rows, left = Rows(new), 0
        for keys, values in found.batches():
            turned = turn(old, new, keys, values)
            left += turned.left
            rows.put_packed(*_living(new, order, turned))
        return rows, left, order


def is_carried(declaration: MapDeclaration) -> bool:
    """Whether a map's rows go along: AXN_CARRIED or AXN_CARRIED_BY stands on it."""
    return _TAG in dict(declaration.definition.tags)


def _rule(declaration: MapDeclaration) -> str:
    return dict(declaration.definition.tags).get(_TAG, "")


def _order(declaration: MapDeclaration, layout: Layout) -> Order | None:
    rule = _rule(declaration)
    if not rule:
        return None
    name, _, shift = rule.partition(">>")
    for one in layout.value.fields:
        if one.name == name and one.kind == "le":
            return Order(one.offset, one.size, int(shift))
    raise MapError(f"AXN_CARRIED_BY names {name}, which is no number of it", map=layout.map)


def _living(layout: Layout, order: Order | None, rows: Converted) -> tuple[Any, Any]:
    """Those rows that are not leaving."""
    if order is None:
        return rows.keys, rows.values
    (one,) = (f for f in layout.value.fields if f.offset == order.offset and f.kind == "le")
    count = len(rows.keys) // layout.key.size
    column = gather(layout.value, one, rows.values, count)
    words = array(_CODES[one.size], column)
    if not count or min(words) >> order.shift:
        return rows.keys, rows.values
    stay = [row for row, word in enumerate(words) if word >> order.shift]
    size = layout.value.size
    return pick(rows.keys, layout.key.size, stay), pick(rows.values, size, stay)


def _layout_of(fd: int, name: str, number: int) -> Layout:
    """The layout of a map of the kernel.

    Raises:
        MapError: the kernel was not told its types.
    """
    info = map_info(fd)
    if not info.btf_id or not info.key_type:
        raise MapError(f"layout {number} came without types", map=name)
    return layout_from(Btf(btf_bytes(info.btf_id)), name, number, info.key_type, info.value_type)


@contextmanager
def _opened(maps: Maps, name: str, number: int) -> Iterator[int]:
    fd = open_pin(maps.pins.layout_path(name, number))
    try:
        yield fd
    finally:
        os.close(fd)
