# SPDX-License-Identifier: Apache-2.0
"""A node's allocations on the disk: a directory with one symbolic link for each address.

The link's name is the address, and its target the words of `allocation`. A link is made by one
system call, which fails if the name is there, and replaced by a rename: so an address is claimed
once, and what is said of it is never half written. Nothing is synced: after a power failure no
pod runs, and who comes back gets what was written until then.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme.errors import Problem, StateError
from axoneme.ipam.allocation import decode, encode
from axoneme.model.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from axoneme.ipam.allocation import Allocation
    from axoneme.model import Address


def _frozen(value: Mapping[Address, Problem]) -> Mapping[Address, Problem]:
    return MappingProxyType(dict(value))


@frozen
class StoredAllocations:
    """What a directory says, and the entries that say nothing usable.

    Such an entry is left in place. If its name is an address it is in `withheld` too: somebody may
    have that address, so that nobody else gets it.
    """

    allocations: tuple[Allocation, ...] = ()
    problems: tuple[Problem, ...] = ()
    withheld: Mapping[Address, Problem] = field(factory=dict, converter=_frozen)


class AllocationStore:
    """The allocations of one node, in a directory of its own that outlives agent and machine.

    Every method raises StateError if the directory cannot be read or written.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with _using(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self) -> StoredAllocations:
        """Every allocation, by address; what writers left that were killed is removed."""
        allocations: list[Allocation] = []
        problems: list[Problem] = []
        withheld: dict[Address, Problem] = {}
        with _using(self.directory):
            names = sorted(path.name for path in self.directory.iterdir())
        for name in names:
            if name.startswith("."):
                (self.directory / name).unlink(missing_ok=True)
                continue
            try:
                address = parse_address(name)
            except ValueError:
                problems.append(self._problem(name, "is called by no address: remove it"))
                continue
            try:
                allocations += self._read(name, address)
            except (OSError, ValueError) as error:
                text = f"{_reason(error)}: nobody gets {address} until this is removed"
                withheld[address] = self._problem(name, text)
        problems += withheld.values()
        allocations.sort(key=lambda one: (one.address.version, one.address))
        return StoredAllocations(tuple(allocations), tuple(problems), withheld)

    def _read(self, name: str, address: Address) -> Iterator[Allocation]:
        if name != str(address):
            raise ValueError(f"is {address} written in another way")
        try:
            words = os.readlink(self.directory / name)  # noqa: PTH115 - words, and no path
        except FileNotFoundError:
            return  # released since its name was read
        yield decode(address, words)

    def _problem(self, name: str, text: str) -> Problem:
        return Problem("", os.fspath(self.directory / name), 0, text)

    def claim(self, allocation: Allocation) -> bool:
        """Write an allocation, unless there is one of its address; whether we did."""
        path = self._path(allocation.address)
        with _using(path):
            try:
                path.symlink_to(encode(allocation))
            except FileExistsError:
                return False
            return True

    def replace(self, allocation: Allocation) -> None:
        """Write an allocation over whatever there is of its address, in one step."""
        path = self._path(allocation.address)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with _using(path):
            draft.unlink(missing_ok=True)
            draft.symlink_to(encode(allocation))
            draft.replace(path)

    def forget(self, address: Address) -> None:
        """Remove what there is of an address; nothing happens if there is nothing."""
        path = self._path(address)
        with _using(path):
            path.unlink(missing_ok=True)

    def _path(self, address: Address) -> Path:
        return self.directory / str(address)


def _reason(error: OSError | ValueError) -> str:
    return f"is no symbolic link ({error.strerror})" if isinstance(error, OSError) else str(error)


@contextmanager
def _using(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"cannot be used: {error.strerror}", file=str(path)) from error
