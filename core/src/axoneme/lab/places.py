# SPDX-License-Identifier: Apache-2.0
"""Places of a lab: namespaces that files keep, and a cgroup; nodes, pods and what is around."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.errors import AxonemeError
from axoneme.net import cgroups
from axoneme.net.namespaces import (
    CLONE_NEWNET,
    MNT_DETACH,
    MS_BIND,
    MS_SLAVE,
    mount,
    umount,
    unshare,
)
from axoneme.net.nodes import enter_new_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAMES = Path("/run/netns")
_END_SECONDS = 10.0
#: The shell moves itself, and becomes the program: `0` is whoever writes it.
_ENTER = 'echo 0 >"$0/cgroup.procs" && cd "$1" && shift && exec "$@"'


@frozen
class Place:
    """A network namespace, a cgroup, and for a node its mounts, each with a path that keeps it.

    `public` is the name by which `ip netns` finds the network.
    """

    name: str
    network: Path
    cgroup: Path
    public: str
    mounts: Path | None = None

    def command(
        self, words: Sequence[str | os.PathLike[str]], *, directory: Path | None = None
    ) -> list[str]:
        """Return the words that run a command here, from anywhere on the machine."""
        mounts = [f"--mount={self.mounts}"] if self.mounts else []
        shell = ["sh", "-c", _ENTER, str(self.cgroup), str(directory or Path.cwd())]
        namespaces = [f"--net={self.network}", *mounts]
        return ["nsenter", *namespaces, "--", *shell, *(os.fspath(word) for word in words)]

    def exists(self) -> bool:
        """Whether it has been made."""
        return self.network.exists()

    def make(self) -> None:
        """Make its namespaces and its cgroup."""
        with ExitStack() as undo, ExitStack() as opened:
            cgroups.create_cgroup(self.cgroup)
            undo.callback(self.remove)
            kinds = ["net", "mnt"] if self.mounts else ["net"]
            with ThreadPoolExecutor(1) as thread:
                namespaces = thread.submit(_new_namespaces, kinds).result()
            for namespace in namespaces:
                opened.callback(os.close, namespace)
            for namespace, path in zip(namespaces, self._paths(), strict=True):
                path.touch(exist_ok=False)
                mount(f"/proc/self/fd/{namespace}", str(path), flags=MS_BIND)
            _publish(_NAMES / self.public, self.network)
            undo.pop_all()

    def remove(self) -> None:
        """End what runs here and remove it all; nothing happens to what is not there."""
        left = cgroups.remove_cgroup(self.cgroup, _END_SECONDS)
        if left:
            raise AxonemeError(f"processes {left} of {self.name} do not end; cgroup {self.cgroup}")
        public = _NAMES / self.public
        if public.is_symlink() and public.readlink() == self.network:
            public.unlink()
        for path in self._paths():
            with suppress(OSError):
                umount(str(path), MNT_DETACH)
            path.unlink(missing_ok=True)

    def _paths(self) -> Iterator[Path]:
        yield self.network
        if self.mounts:
            yield self.mounts


def published(directory: Path) -> Iterator[Path]:
    """The names in /run/netns that stand for networks below a directory."""
    for path in _NAMES.glob("*"):
        if path.is_symlink() and path.readlink().is_relative_to(directory):
            yield path


def _publish(path: Path, network: Path) -> None:
    """Let `ip netns` find a network; a link, so that it is kept in one place only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(network)
    except FileExistsError:
        raise AxonemeError(
            f"{path} exists and is not of this lab; choose another name for the lab, or remove it "
            f"with `ip netns delete {path.name}`"
        ) from None


def _new_namespaces(kinds: Sequence[str]) -> list[int]:
    """Make new namespaces in a thread that ends; file descriptors of them."""
    if "mnt" in kinds:
        enter_new_node(MS_SLAVE)
    else:
        unshare(CLONE_NEWNET)
    directory = "/proc/thread-self/ns"
    return [os.open(f"{directory}/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]
