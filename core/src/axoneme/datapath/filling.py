# SPDX-License-Identifier: Apache-2.0
"""Counting how full maps are beside whoever uses them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from attrs import define, field

from .usage import usage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .maps import Maps
    from .usage import Usage


@define
class FillReader:
    """The maps of a datapath, held while they are counted.

    Make it where the datapath is used; `read` may then run in any thread.
    """

    _fds: Mapping[str, int]
    _closing: ExitStack = field(factory=ExitStack)

    @classmethod
    def of(cls, maps: Maps, choose: Callable[[str], bool] = lambda _: True) -> FillReader:
        """Hold the maps whose names are chosen."""
        with ExitStack() as closing:
            fds = {name: os.dup(maps.descriptor(name)) for name in maps.names if choose(name)}
            for fd in fds.values():
                closing.callback(os.close, fd)
            return cls(fds, closing.pop_all())

    def read(self) -> dict[str, Usage]:
        """Count those that can be full."""
        found = {name: usage_of(fd) for name, fd in self._fds.items()}
        return {name: usage for name, usage in found.items() if usage.used is not None}

    def close(self) -> None:
        """Let go of them."""
        self._closing.close()
