# SPDX-License-Identifier: Apache-2.0
"""Files that several agents read and write at once: whole or not there, and each claimed once.

A file is made under a name that begins with a dot, which readers pass over, and appears in one
step: by link(), which only one can do, or by rename(), which replaces. Nothing is synced to the
disk: after a power failure no pod runs, and a file that came out empty is named and left out.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from axoneme.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX = ".json"
_FORGOTTEN_SECONDS = 3600.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_DRAFT = re.compile(r"\..+\.\d+\.\d+")
_LONGEST_NAME = 253
_LONGEST_STEM = 200
_KEPT_OF_STEM = 150
#: Seconds in which whoever changes a file comes to the end, and between two looks whether it has.
_PATIENCE = 2.0
_PAUSE = 0.002

_drafts = itertools.count()


def is_name(name: str) -> bool:
    """Whether a name can be a part of a file's: it must not lead elsewhere, and not be hidden."""
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


def stem_of(name: str) -> str:
    """Return what a thing's file is called: its name, or its beginning and a digest of it."""
    if len(name) <= _LONGEST_STEM:
        return name
    return f"{name[:_KEPT_OF_STEM]}_{sha256(name.encode()).hexdigest()[:32]}"


def claim_file(path: Path, data: bytes) -> bool:
    """Make a file with its content, unless there is one; whether we made it.

    Raises StateError if it cannot be written.
    """
    with _writing(path):
        draft, _ = _draft(path, data)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            os.unlink(draft)  # noqa: PTH108 - see _draft
        return True


def replace_file(path: Path, data: bytes) -> os.stat_result:
    """Make or replace a file in one step; by what it returns the file is told from others.

    Raises StateError if it cannot be written.
    """
    with _writing(path):
        draft, status = _draft(path, data)
        try:
            os.rename(draft, path)  # noqa: PTH104 - see _draft
        except OSError:
            os.unlink(draft)  # noqa: PTH108 - see _draft
            raise
        return status


def claim_symlink(path: Path, target: str) -> bool:
    """Make a symbolic link, unless there is something of that name; whether we made it.

    Raises StateError if it cannot be made.
    """
    with _writing(path):
        try:
            path.symlink_to(target)
        except FileExistsError:
            return False
        return True


def try_lock(path: Path) -> int | None:
    """Lock a file that is there for that only, until its descriptor is closed or we end.

    None if somebody else has it. The name begins with a dot, and the file stays.
    """
    with _writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have nobody else in here, for as long as it takes to read and write one file.

    Whoever is in may remove the file that is there for that, with the other one.

    Raises StateError if the file that is there for that cannot be made, or somebody keeps it.
    """
    end = time.monotonic() + _PATIENCE
    while (descriptor := _lock_of(path)) is None:
        if time.monotonic() > end:
            text = f"another process has had it locked for {_PATIENCE:.0f} s: see if it is stopped"
            raise StateError(text, file=str(path))
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock_of(path: Path) -> int | None:
    """Lock a file, unless somebody else has it, or removed it in between."""
    descriptor = try_lock(path)
    if descriptor is not None and os.fstat(descriptor).st_nlink == 0:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}", file=str(path)) from error


def _draft(path: Path, data: bytes) -> tuple[str, os.stat_result]:
    """Make a file that no reader sees. Never one that is there: it may be linked already."""
    # Not by methods of paths, which take longer than the kernel does: there may be thousands.
    beginning = f"{path.parent}/.{path.name}.{os.getpid()}"
    while True:
        draft = f"{beginning}.{next(_drafts)}"
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        break
    try:
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - it has no path
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
            return draft, os.fstat(descriptor)
    except BaseException:
        os.unlink(draft)  # noqa: PTH108
        raise


def remove_forgotten_drafts(directory: Path) -> None:
    """Remove what writers left that were killed in between."""
    oldest = time.time() - _FORGOTTEN_SECONDS
    for path in directory.glob(".*"):
        try:
            if _DRAFT.fullmatch(path.name) and path.lstat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:
            continue
