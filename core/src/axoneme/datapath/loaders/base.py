# SPDX-License-Identifier: Apache-2.0
"""What every loader takes and gives."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@frozen
class LoadRequest:
    """What to load.

    name: for the kernel's listings and for messages. constants: bytes of .rodata by variable.
    sizes: max_entries by map. reuse: file descriptors of maps that are there already.
    programs: those to load; None for all.
    """

    name: str
    data: bytes = field(repr=False)
    constants: Mapping[str, bytes] = field(factory=dict)
    sizes: Mapping[str, int] = field(factory=dict)
    reuse: Mapping[str, int] = field(factory=dict)
    programs: frozenset[str] | None = None


@frozen
class LoadedProgram:
    """A program in the kernel. attach is a section's name, as "raw_tp/sched_switch"."""

    name: str
    fd: int
    attach: str
    instructions: int
    microseconds: int
    stack: str
    jited_size: int


@frozen
class LoadedMap:
    """A map in the kernel."""

    name: str
    fd: int


@define
class LoadedObject:
    """Programs and maps that one request made; close() lets go of them."""

    programs: dict[str, LoadedProgram]
    maps: dict[str, LoadedMap]
    load_seconds: float
    _close: Callable[[], object] | None = None

    def close(self) -> None:
        """Give the file descriptors back; what is attached or pinned stays."""
        if self._close is not None:
            self._close()
            self._close = None


class Loader(Protocol):
    """Turns a request into programs.

    Raises VerifierError with the verifier's log when the kernel refuses a program, DatapathError
    for everything else.
    """

    name: str

    def load(self, request: LoadRequest) -> LoadedObject:
        """Load what the request asks for; nothing is attached."""
        ...


def close_all(fds: list[int]) -> None:
    """Close file descriptors, all of them."""
    while fds:
        os.close(fds.pop())
