# SPDX-License-Identifier: Apache-2.0
"""Cgroups of version 2: where they are, and how one is taken away with all that runs in it."""

from __future__ import annotations

import errno
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAUSE = 0.001


def find_mounts() -> Iterator[tuple[Path, str]]:
    """Where cgroup2 is mounted, and which of its directories is the root there."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, filesystem = line.partition(" - ")
        if filesystem.startswith("cgroup2 "):
            root, point = mount.split()[3:5]
            yield Path(point), root


def create_cgroup(path: Path) -> None:
    """Make a cgroup that processes can be in; it must not be there yet."""
    path.mkdir()
    kind = path / "cgroup.type"
    # Beside cgroups that hold single threads, no other kind can hold processes.
    if kind.exists() and kind.read_text().strip() == "domain invalid":
        kind.write_text("threaded")


def remove_cgroup(path: Path, seconds: float) -> list[int]:
    """End every process in a cgroup and below, and remove them; who is left after that time."""
    deadline = time.monotonic() + seconds
    while not _removed(path):
        left = threads(path)
        if left and time.monotonic() > deadline:
            return left
        _kill(left)
        time.sleep(_PAUSE)
    return []


def threads(path: Path) -> list[int]:
    """Return the threads in a cgroup and below."""
    found: list[int] = []
    for directory, _, _ in os.walk(path):
        with suppress(OSError):
            found += map(int, (Path(directory) / "cgroup.threads").read_text().split())
    return found


def _removed(path: Path) -> bool:
    try:
        for directory, _, _ in os.walk(path, topdown=False):
            os.rmdir(directory)  # noqa: PTH106 - os.walk gives text
    except FileNotFoundError:
        return not path.exists()
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True


def _kill(found: list[int]) -> None:
    for thread in found:
        # Our own threads may take a moment to be gone; 0 is one of another pid namespace.
        if thread and not Path(f"/proc/self/task/{thread}").exists():
            with suppress(ProcessLookupError):
                os.kill(thread, signal.SIGKILL)
