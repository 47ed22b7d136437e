# SPDX-License-Identifier: Apache-2.0
"""What the kernel says when it refuses an operation on a map, in words that help."""

from __future__ import annotations

import errno
import os

from attrs import frozen

from axoneme.errors import MapError, MapFull

_ENOTSUPP = 524  # the kernel's own, which the C library has no name for
_FULL = {errno.E2BIG, errno.ENOSPC}


@frozen
class Refusals:
    """The errors of one map: its name, its size, and where the configuration sets that."""

    map: str
    max_entries: int
    setting: str
    array: bool

    def check(self, code: int, verb: str, done: int = 0, count: int = 0) -> None:
        """Raise what a code below 0 means; `done` of `count` rows had landed before it.

        Raises:
            MapFull: the map has no entry left.
            MapError: whatever else it is.
        """
        if code >= 0:
            return
        landed = f"; {done} of {count} rows were done before it" if count else ""
        if -code in _FULL and not self.array:
            raise MapFull(self._full() + landed, map=self.map)
        raise MapError(f"{self._reason(-code, verb)}{landed}", map=self.map)

    def _full(self) -> str:
        what_to_do = f"raise {self.setting}" if self.setting else "give it more"
        return f"all of its {self.max_entries} entries are in use: {what_to_do}"

    def _reason(self, number: int, verb: str) -> str:
        if number == errno.E2BIG:
            return f"a key is beyond the array's {self.max_entries} entries"
        if number == errno.EAGAIN:
            return "it changes faster than it can be read: try again"
        if number == errno.ENOMEM:
            return f"the kernel has no memory to {verb} rows"
        if number == _ENOTSUPP:
            return f"the kernel cannot {verb} rows in a map of this type"
        name = errno.errorcode.get(number, str(number))
        return f"the kernel refused to {verb} rows: {os.strerror(number)} ({name})"
