# SPDX-License-Identifier: Apache-2.0
"""Reading a directory of files, again and again: only what has changed is read."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import define, evolve, field, frozen

from axoneme.errors import Problem
from axoneme.sources._files import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from axoneme.sources._last_good import LastGood

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
    """A file as it was when it was read; `old` says that the value is of an earlier reader."""

    mark: tuple[int, ...]
    value: T | None
    problems: tuple[Problem, ...] = ()
    old: tuple[Problem, ...] = ()


@frozen
class FilesRead(Generic[T]):
    """What the files of a directory say, by their names, and what is wrong in some of them."""

    values: dict[str, T]
    problems: tuple[Problem, ...] = ()


@define
class FilesReader(Generic[T]):
    """Reads the files of a directory, and reads again only those that have changed.

    `decode` gets path and content, and raises ValueError. With `keep` a file that has become
    wrong says what it said before; with `last_good` that is known to the next reader as well.
    """

    directory: Path
    decode: Callable[[Path, bytes], T]
    suffixes: tuple[str, ...] = (SUFFIX,)
    keep: bool = False
    last_good: LastGood | None = None
    _seen: dict[str, _Seen[T]] = field(factory=dict, init=False)
    _listed: bool = field(default=False, init=False)
    #: What `remember` has to do: files that were right, and whether any went.
    _good: dict[str, bytes] = field(factory=dict, init=False)
    _gone: bool = field(default=False, init=False)

    def read(self) -> FilesRead[T]:
        """Every file, in the order of their names.

        A directory that cannot be listed any more says what it said before: that all files are
        meant to be gone is less likely. One that never was there has none.
        """
        problems: list[Problem] = []
        try:
            seen = self._look_at_all()
        except OSError as error:
            if not self._listed:
                self._seen = self._recall_all()
            if self._seen or not isinstance(error, FileNotFoundError):
                text = f"cannot be listed, what it said stays: {error.strerror}"
                problems.append(Problem("", str(self.directory), 0, text))
        else:
            self._gone = self._gone or not self._listed or bool(self._seen.keys() - seen.keys())
            self._seen, self._listed = seen, True
        if self.last_good is not None:
            problems += self.last_good.problems
        values = {name: one.value for name, one in self._seen.items() if one.value is not None}
        for one in self._seen.values():
            problems += one.problems
        return FilesRead(values, tuple(problems))

    def look_at(self, name: str) -> T | None:
        """One file as it is now; None if it is not there, or wrong."""
        path = self.directory / name
        try:
            mark, before = _mark(os.stat(path)), self._seen.get(name)  # noqa: PTH116 - it is quicker
            if before is not None and mark and before.mark == mark:
                return before.value
            return self.decode(path, read_file(path))
        except (OSError, ValueError, RecursionError):
            return None

    def wrote(self, name: str, value: T, status: os.stat_result) -> None:
        """A file was replaced by one that says this: it need not be read.

        It is old enough at once. Who writes it next makes another file, but for people, who would
        have to do so in the same hundredth of a second.
        """
        self._seen[name] = _Seen(_mark_of(status), value)

    def remember(self) -> None:
        """Let the next reader know what files say that are right: once that is in effect."""
        good, self._good = self._good, {}
        if self.last_good is None:
            return
        for name in good.keys() & self._seen.keys():
            self.last_good.remember(name, good[name])
        if self._gone:
            self.last_good.forget_others(self._seen)
            self._gone = False

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
        try:
            mark = _mark(entry.stat())
        except FileNotFoundError:
            raise
        except OSError:
            mark = ()
        before = self._seen.get(entry.name)
        if before is not None and mark and before.mark == mark:
            return before
        path = self.directory / entry.name
        try:
            data = read_file(path)
            value = self.decode(path, data)
        except FileFaults as error:
            return self._kept(path, before, _Seen(mark, None, error.problems))
        except ValueError as error:
            return self._kept(path, before, _Seen(mark, None, (_problem(path, str(error)),)))
        except RecursionError:
            wrong = (_problem(path, "is nested too deeply"),)
            return self._kept(path, before, _Seen(mark, None, wrong))
        if self.last_good is not None:
            self._good[entry.name] = data
        # The very same object, where nothing is new: who has it need not compare.
        if before is not None and before.value == value:
            value = before.value
        return _Seen(mark, value)

    def _kept(self, path: Path, before: _Seen[T] | None, wrong: _Seen[T]) -> _Seen[T]:
        """A file that is wrong, with what it said before if that is to stay."""
        if not self.keep:
            return wrong
        if before is not None and before.value is not None:
            # What was said of a value that another reader had left is said as long as it stays.
            return evolve(
                wrong, value=before.value, old=before.old, problems=wrong.problems + before.old
            )
        return self._recall(path, wrong)

    def _recall(self, path: Path, wrong: _Seen[T]) -> _Seen[T]:
        data = self.last_good.recall(path.name) if self.last_good is not None else None
        if data is None:
            return wrong
        try:
            value = self.decode(path, data)
        except (ValueError, RecursionError):
            text = "what it said when it was right last cannot be read any more: it says nothing"
            return evolve(wrong, problems=(*wrong.problems, _problem(path, text)))
        text = "what it said when it was right last, before the agent was started, stays in force"
        old = (_problem(path, text),)
        return evolve(wrong, value=value, old=old, problems=wrong.problems + old)

    def _recall_all(self) -> dict[str, _Seen[T]]:
        names = self.last_good.names() if self.last_good is not None else ()
        return {name: self._recall(self.directory / name, _Seen((), None)) for name in names}


def _problem(path: Path, text: str) -> Problem:
    return Problem("", str(path), 0, text)


def _mark(status: os.stat_result) -> tuple[int, ...]:
    """What changes when a file does; empty where that cannot be told."""
    if time.time_ns() - status.st_mtime_ns < _YOUNG_NS:
        return ()
    return _mark_of(status)


def _mark_of(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns
