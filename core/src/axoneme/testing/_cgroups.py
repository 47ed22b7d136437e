# SPDX-License-Identifier: Apache-2.0
"""A cgroup2 subtree for each node, below the cgroup that the tests run in.

The cgroups are threaded: single threads of the test process can be in them, so that a socket
made by a node's thread belongs to the node's cgroup as those of its processes do.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from axoneme.net import cgroups
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
    left = cgroups.remove_cgroup(path, scaled(_REMOVE_SECONDS))
    if left:
        raise KitError(f"cgroup {path} cannot be removed: {left} are still in it")


def sweep() -> None:
    """Remove the cgroups that killed test processes have left, with what still runs there."""
    for path in _own_cgroup().glob("axoneme-*"):
        named = _NAME.fullmatch(path.name)
        # Processes of another pid namespace cannot be seen from here, so theirs are left alone.
        if named and named[1].startswith(f"{_pid_namespace()}-"):
            pid = int(named[1].split("-")[1])
            if _owner(pid) != named[1]:
                remove_cgroup(path)


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
    for point, root in cgroups.find_mounts():
        if own is not None and own.startswith(root):
            return point / own[len(root) :].lstrip("/")
    raise KitError("cgroup2 is not mounted; run `mount -t cgroup2 none /sys/fs/cgroup/unified`")
