# SPDX-License-Identifier: Apache-2.0
"""inotify(7): the kernel says which directory's files have changed, without a poll or a wait."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLOSE_WRITE = 0x8
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
MOVE_SELF = 0x800
Q_OVERFLOW = 0x4000
IGNORED = 0x8000
_ONLYDIR = 0x01000000
#: A file is whole when its writer closed it, or moved or linked it here: a link is only created.
_MASK = CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF | _ONLYDIR
_HEAD = struct.Struct("iIII")
_BUFFER = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)


@frozen
class Event:
    """What happened to a name in a directory; `watch` is -1 when events were lost."""

    watch: int
    mask: int
    name: str


class Inotify:
    """An inotify instance; its descriptor is readable when events wait."""

    def __init__(self) -> None:
        self.descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        """For selectors."""
        return self.descriptor

    def watch(self, directory: Path) -> int:
        """Watch a directory; OSError if it cannot be."""
        path = os.fsencode(directory)
        return _checked(_libc.inotify_add_watch(self.descriptor, path, _MASK))

    def unwatch(self, watch: int) -> None:
        """End a watch; nothing happens if it has ended."""
        _libc.inotify_rm_watch(self.descriptor, watch)

    def events(self) -> Iterator[Event]:
        """All events that wait."""
        while True:
            try:
                data = os.read(self.descriptor, _BUFFER)
            except BlockingIOError:
                return
            place = 0
            while place < len(data):
                watch, mask, _, length = _HEAD.unpack_from(data, place)
                place += _HEAD.size
                name = data[place : place + length].rstrip(b"\0")
                place += length
                yield Event(watch, mask, os.fsdecode(name))

    def close(self) -> None:
        """End all watches."""
        os.close(self.descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
