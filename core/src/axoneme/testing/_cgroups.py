# SPDX-License-Identifier: Apache-2.0
"""A cgroup2 subtree for each node, below the cgroup that the tests run in.

The cgroups are threaded: single threads of the test process can be in them, so that a socket
made by a node's thread belongs to the node's cgroup as those of its processes do.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

from axoneme.testing._timeouts import scaled
from axoneme.testing._worker import KitError

_NAME = re.compile(r"axoneme-(\d+-\d+-\d+)-.*")
_REMOVE_SECONDS = 5


def create_cgroup(label: str) -> Path:
    """Make the cgroup of a node; its name says which process it belongs to."""
    return create_child(_own_cgroup(), f"axoneme-{_owner(os.getpid())}-{label}")


def create_child(parent: Path, name: str) -> Path:
    """Make a threaded cgroup below another one."""
    path = parent / name
    try:
        path.mkdir()
        (path / "cgroup.type").write_text("threaded")
    except FileExistsError:
        raise KitError(f"{path} exists: give nodes, and the pods of one, different names") from None
    except OSError as error:
        with suppress(OSError):
            path.rmdir()
        raise KitError(
            f"cannot make cgroup {path}: {error.strerror}; run the tests as root, in a cgroup "
            "that has no controllers enabled for its children (`systemd-run --scope COMMAND`)"
        ) from error
    return path


def enter_cgroup(path: Path) -> None:
    """Move the calling thread into a cgroup."""
    (path / "cgroup.threads").write_text("0")


def remove_cgroup(path: Path) -> None:
    """End every process that is left in a cgroup or below it, and remove them."""
    deadline = time.monotonic() + scaled(_REMOVE_SECONDS)
    while not _removed(path):
        if time.monotonic() > deadline:
            raise KitError(f"cgroup {path} cannot be removed: {_threads(path)} are still in it")
        _kill(path)
        time.sleep(0.001)


def sweep() -> None:
    """Remove the cgroups that killed test processes have left, with what still runs there."""
    for path in _own_cgroup().glob("axoneme-*"):
        named = _NAME.fullmatch(path.name)
        # Processes of another pid namespace cannot be seen from here, so theirs are left alone.
        if named and named[1].startswith(f"{_pid_namespace()}-"):
            pid = int(named[1].split("-")[1])
            if _owner(pid) != named[1]:
                remove_cgroup(path)


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


def _threads(path: Path) -> list[int]:
    found: list[int] = []
    for directory, _, _ in os.walk(path):
        with suppress(OSError):
            found += map(int, (Path(directory) / "cgroup.threads").read_text().split())
    return found


def _kill(path: Path) -> None:
    for thread in _threads(path):
        # Our own threads may take a moment to be gone; 0 is one of another pid namespace.
        if thread and not Path(f"/proc/self/task/{thread}").exists():
            with suppress(ProcessLookupError):
                os.kill(thread, signal.SIGKILL)


def _owner(pid: int) -> str:
    """Return what tells a process from all others, those that had its number before too."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    state, *others = stat.rpartition(")")[2].split()
    # A killed process that nobody waits for stays listed as a zombie.
    return "" if state in "ZX" else f"{_pid_namespace()}-{pid}-{others[18]}"


def _pid_namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _own_cgroup() -> Path:
    """Return the directory of the cgroup that this process is in."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line[len("0::") :] for line in lines if line.startswith("0::")), None)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, filesystem = line.partition(" - ")
        if own is not None and filesystem.startswith("cgroup2 "):
            root, point = mount.split()[3:5]
            if own.startswith(root):
                return Path(point) / own[len(root) :].lstrip("/")
    raise KitError("cgroup2 is not mounted; run `mount -t cgroup2 none /sys/fs/cgroup/unified`")
