# SPDX-License-Identifier: Apache-2.0
"""Reading a directory of files, again and again: only what has changed is read."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import define, field, frozen

from axoneme.errors import Problem
from axoneme.sources._files import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

T = TypeVar("T")

#: A file that was written so lately may be written once more within one tick of its clock.
_YOUNG_NS = 50_000_000
_LARGEST = 1 << 20


def read_file(path: Path) -> bytes:
    """Return what a file has; ValueError if it is no file, or larger than any of ours."""
    try:
        # A pipe without a writer would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("is no regular file")
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise ValueError(f"has more than {_LARGEST} bytes")
    return data


class FileFaults(ValueError):  # noqa: N818 - they are many
    """All that is wrong in one file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@frozen
class _Seen(Generic[T]):
    """A file as it was when it was read."""

    mark: tuple[int, ...]
    value: T | None
    problems: tuple[Problem, ...] = ()


@frozen
class FilesRead(Generic[T]):
    """What the files of a directory say, by their names, and what is wrong in some of them."""

    values: dict[str, T]
    problems: tuple[Problem, ...] = ()


@define
class FilesReader(Generic[T]):
    """Reads the files of a directory, and reads again only those that have changed.

    `decode` gets path and content, and raises ValueError. With `keep` a file that has become
    wrong says what it said before.
    """

    directory: Path
    decode: Callable[[Path, bytes], T]
    suffixes: tuple[str, ...] = (SUFFIX,)
    keep: bool = False
    _seen: dict[str, _Seen[T]] = field(factory=dict, init=False)

    def read(self) -> FilesRead[T]:
        """Every file, in the order of their names.

        A directory that cannot be listed any more says what it said before: that all files are
        meant to be gone is less likely. One that never was there has none.
        """
        problems: list[Problem] = []
        try:
            self._seen = self._look_at_all()
        except OSError as error:
            if self._seen or not isinstance(error, FileNotFoundError):
                text = f"cannot be listed, what it said stays: {error.strerror}"
                problems.append(Problem("", str(self.directory), 0, text))
        values = {name: one.value for name, one in self._seen.items() if one.value is not None}
        for one in self._seen.values():
            problems += one.problems
        return FilesRead(values, tuple(problems))

    def _look_at_all(self) -> dict[str, _Seen[T]]:
        with os.scandir(self.directory) as entries:
            found = [e for e in entries if e.name[0] != "." and e.name.endswith(self.suffixes)]
        seen = {}
        for entry in sorted(found, key=lambda entry: entry.name):
            try:
                seen[entry.name] = self._look(entry)
            except FileNotFoundError:
                continue  # removed since the directory was listed
        return seen

    def _look(self, entry: os.DirEntry[str]) -> _Seen[T]:
        mark = _mark(entry)
        before = self._seen.get(entry.name)
        if before is not None and mark and before.mark == mark:
            return before
        path = self.directory / entry.name
        kept = before.value if before is not None and self.keep else None
        try:
            return _Seen(mark, self.decode(path, read_file(path)))
        except FileFaults as error:
            return _Seen(mark, kept, error.problems)
        except ValueError as error:
            return _Seen(mark, kept, (Problem("", str(path), 0, str(error)),))
        except RecursionError:
            return _Seen(mark, kept, (Problem("", str(path), 0, "is nested too deeply"),))


def _mark(entry: os.DirEntry[str]) -> tuple[int, ...]:
    """What changes when a file does; empty where that cannot be told."""
    try:
        status = entry.stat()
    except FileNotFoundError:
        raise
    except OSError:
        return ()
    if time.time_ns() - status.st_mtime_ns < _YOUNG_NS:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns
