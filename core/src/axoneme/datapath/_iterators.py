# SPDX-License-Identifier: Apache-2.0
"""Programs that run over the elements of a map, as often as somebody reads them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import frozen

from axoneme._bpf import lib

from ._kernel import check

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The section of such a program.
MAP_ITERATOR = "iter/bpf_map_elem"
_SLICE_BYTES = 64


@frozen
class MapIterator:
    """A program linked to a map. It outlives neither this object nor the process."""

    _link: int

    @classmethod
    def of(cls, program: int, map_: int) -> MapIterator:
        """Link a program to a map, by their file descriptors.

        Raises:
            OSError: the kernel refuses.
        """
        return cls(check(lib.axn_iterator_link(program, map_)))

    def slices(self) -> Iterator[bytes]:
        """Go over the map once: what the program writes, after each slice of elements.

        Between two slices nothing is held; a slice without any output comes empty.

        Raises:
            OSError: the kernel refuses.
        """
        file = check(lib.axn_iterator_open(self._link))
        try:
            while True:
                try:
                    written = os.read(file, _SLICE_BYTES)
                except BlockingIOError:  # a million elements without a word: there is more
                    written = b""
                else:
                    if not written:
                        return
                yield written
        finally:
            os.close(file)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._link)
