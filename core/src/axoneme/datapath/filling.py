# SPDX-License-Identifier: Apache-2.0
"""How full maps are: the kernel does not say, so that their rows are counted."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme._bpf import lib

from ._kernel import map_info
from ._layout import Layout, Record
from .tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .maps import Maps

_FILLING = {
    lib.BPF_MAP_TYPE_HASH,
    lib.BPF_MAP_TYPE_PERCPU_HASH,
    lib.BPF_MAP_TYPE_LRU_HASH,
    lib.BPF_MAP_TYPE_LRU_PERCPU_HASH,
    lib.BPF_MAP_TYPE_LPM_TRIE,
}


@frozen
class Fill:
    """How many rows a map has, and has room for. An array always has all of its own."""

    used: int
    entries: int

    @property
    def pressure(self) -> float:
        """The share that is used."""
        return self.used / self.entries if self.entries else 0.0


@define
class FillReader:
    """The maps of a datapath that can be full, held while they are counted.

    Make it where the datapath is used; `read` may then run in any thread.
    """

    _tables: Mapping[str, Table]
    _closing: ExitStack = field(factory=ExitStack)

    @classmethod
    def of(cls, maps: Maps, choose: Callable[[str], bool] = lambda _: True) -> FillReader:
        """Hold the maps whose names are chosen."""
        with ExitStack() as closing:
            tables = {}
            for name in maps.fill():
                fd = os.dup(maps.descriptor(name))
                closing.callback(os.close, fd)
                info = map_info(fd)
                if info.type in _FILLING and choose(name):
                    key = Record("", info.key_size, ())
                    tables[name] = Table(fd, Layout(name, key, Record("", info.value_size, ())))
            return cls(tables, closing.pop_all())

    def read(self) -> dict[str, Fill]:
        """Count them."""
        return {
            name: Fill(table.count(), table.max_entries) for name, table in self._tables.items()
        }

    def close(self) -> None:
        """Let go of them."""
        self._closing.close()
