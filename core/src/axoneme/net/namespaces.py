# SPDX-License-Identifier: Apache-2.0
"""Namespaces and mounts of the calling thread, which Python 3.11 has no functions for."""

from __future__ import annotations

import ctypes
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000

MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000

MNT_DETACH = 0x2

_GET_TYPE = 0xB703  # NS_GET_NSTYPE

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def setns(fd: int, kind: int = 0) -> None:
    """Move the calling thread into the namespace that a file descriptor stands for."""
    _checked(_libc.setns(fd, kind), f"setns {fd}")


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces, or a working directory of its own (CLONE_FS)."""
    _checked(_libc.unshare(ctypes.c_int(flags)), f"unshare {flags:#x}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Put a filesystem, or with MS_BIND a file or directory, at a path."""
    texts = [text.encode() or None for text in (source, target, kind, data)]
    result = _libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3])
    _checked(result, target)


def umount(target: str, flags: int = 0) -> None:
    """Take away what is mounted at a path."""
    _checked(_libc.umount2(target.encode(), ctypes.c_int(flags)), target)


def open_network() -> int:
    """Return a file descriptor that stands for the calling thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def is_network(fd: int) -> bool:
    """Return whether a file descriptor stands for a network namespace."""
    try:
        return fcntl.ioctl(fd, _GET_TYPE) == CLONE_NEWNET
    except OSError:
        return False


@contextmanager
def entered(network: int) -> Iterator[None]:
    """Let the calling thread be in another network namespace for a while.

    Sockets belong to the namespace that they were made in, so one made here stays there.
    """
    home = open_network()
    try:
        setns(network, CLONE_NEWNET)
        yield
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)
