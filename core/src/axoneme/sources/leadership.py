# SPDX-License-Identifier: Apache-2.0
"""Leadership: of several operators one acts, and another as soon as that one has ended.

On embedded state it is a lock on a file, which goes with the process that has it, however it ends.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from attrs import define, field

from axoneme.sources._files import try_lock

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds between two looks at whether the leader is still there.
_PAUSE = 0.05
_LONGEST = 4096
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Leadership(Protocol):
    """Who leads. A source has one for each operator that asks."""

    async def acquire(self) -> None:
        """Return when we lead.

        Raises:
            StateError: nobody can say who leads.
        """
        ...

    def leads(self) -> bool:
        """Whether we still lead: to be asked before anything is written."""
        ...

    def release(self) -> None:
        """Let another lead; nothing happens if we do not."""
        ...

    def leader(self) -> str:
        """Who leads, for people; "" if nobody does."""
        ...


@define
class FileLeadership:
    """Whoever has locked a file leads; `identity` is what others read of us there."""

    path: Path
    identity: str = ""
    _lock: int | None = field(default=None, init=False)

    async def acquire(self) -> None:
        """Return when we lead, within a twentieth of a second after the last leader's end.

        Raises:
            StateError: the file cannot be made.
        """
        while not self._try():  # noqa: ASYNC110 - the kernel tells of no lock that is let go
            await asyncio.sleep(_PAUSE)

    def _try(self) -> bool:
        if self._lock is not None:
            return True
        lock = try_lock(self.path)
        if lock is None:
            return False
        self._lock = lock
        if not self.leads():
            return False
        os.ftruncate(lock, 0)
        os.write(lock, f"{self.identity}, since {datetime.now(UTC).strftime(_TIME)}\n".encode())
        return True

    def leads(self) -> bool:
        """Whether the lock is on the file that others would lock: it may have been removed."""
        if self._lock is None:
            return False
        own, there = os.fstat(self._lock), None
        with suppress(OSError):
            there = self.path.stat()
        if there is None or (own.st_dev, own.st_ino) != (there.st_dev, there.st_ino):
            self.release()
        return self._lock is not None

    def release(self) -> None:
        """Unlock it; the file stays."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def leader(self) -> str:
        """What the file says, if somebody has it locked."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            # Whoever wants to lead meanwhile tries again, and others that look can do so too.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.read(descriptor, _LONGEST).decode(errors="replace").strip() or "an operator"
        finally:
            os.close(descriptor)
        return ""
