# SPDX-License-Identifier: Apache-2.0
"""Short waits while tcx links are made and taken away.

The kernel lets an RCU grace period pass, under its one lock for all devices, each time a program is
added to a device or removed: about 16 ms at 250 ticks a second, one after the other. An expedited
one takes 20 microseconds. /sys/kernel/rcu_expedited asks for them, for the whole machine, so it is
raised for that one system call only. Where /sys/kernel/rcu_normal is set, as on real-time kernels,
it has no effect, and where it cannot be written everything works and is slow.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_KNOB = Path("/sys/kernel/rcu_expedited")
#: Held while the knob is raised. What is in it tells the next holder that the last one died then.
_LOCK = Path("/run/axoneme-rcu.lock")
_RAISED = b"raised\n"
#: The number of membarrier(2) by machine; all newer machines share one.
_MEMBARRIER = {"x86_64": 324, "ppc64le": 365, "s390x": 356}
_MEMBARRIER_ELSEWHERE = 283
_GLOBAL = 1  # MEMBARRIER_CMD_GLOBAL: return when an RCU grace period has passed
_LONG_ENOUGH = 0.05


@contextmanager
def expedited_grace_periods(knob: Path = _KNOB, lock: Path = _LOCK) -> Iterator[None]:
    """Ask the kernel for expedited grace periods meanwhile, if it can be asked.

    Keep what is inside short: others that attach wait for it.
    """
    try:
        held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        raised = _raise(knob, held)
        try:
            yield
        finally:
            if raised:
                _restore(knob, held)
    finally:
        os.close(held)


def _raise(knob: Path, held: int) -> bool:
    """Whether the knob was raised by us, now or by an agent that died before it restored it."""
    try:
        if knob.read_text().strip() != "0":
            return os.pread(held, len(_RAISED), 0) == _RAISED
        os.pwrite(held, _RAISED, 0)
        knob.write_text("1")
    except OSError:
        return False
    return True


def _restore(knob: Path, held: int) -> None:
    with suppress(OSError):
        knob.write_text("0")
        os.ftruncate(held, 0)


def wait_for_programs() -> None:
    """Return when every program that was running has ended: what they write is written.

    A program runs under RCU, and a link that is updated does not wait for it.
    """
    number = _MEMBARRIER.get(platform.machine(), _MEMBARRIER_ELSEWHERE)
    with expedited_grace_periods():
        if ctypes.CDLL(None).syscall(number, _GLOBAL, 0, 0):
            time.sleep(_LONG_ENOUGH)  # refused where a processor is kept free of ticks
