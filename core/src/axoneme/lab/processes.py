# SPDX-License-Identifier: Apache-2.0
"""Processes by number and start time: a number alone may mean another one by now."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path
from typing import Self

from attrs import frozen

_START_TIME = 19  # behind the name: the state is the first


@frozen
class Process:
    """A process as it was when it was written down."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return the process that has a number now; None if none has, or it only waits to go."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[_START_TIME]))

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Return the process that a file names, None if it does not run any more."""
        try:
            pid, started = map(int, path.read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        process = cls(pid, started)
        return process if cls.of(pid) == process else None

    def save(self, path: Path) -> None:
        """Write it down, in one step."""
        draft = path.with_name(f".{path.name}")
        draft.write_text(f"{self.pid} {self.started}\n")
        draft.replace(path)

    def end(self, number: signal.Signals, seconds: float) -> bool:
        """Send it a signal and wait; whether it has ended. No other process can be meant."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            # The number is this process's for as long as the descriptor is open.
            if Process.of(self.pid) != self:
                return True
            signal.pidfd_send_signal(handle, number)
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        finally:
            os.close(handle)
