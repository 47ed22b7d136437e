# SPDX-License-Identifier: Apache-2.0
"""The clock of the datapath: jiffies, in units of 32 of them.

They only go on: to set the machine's time changes nothing. How many there are in a second is the
kernel's configuration, which need not be there to be read. Jiffies begin five minutes before they
come round to 2^32, so that their number and the time since the start say it.
"""

from __future__ import annotations

import os
import time
from functools import cache

from attrs import frozen

from axoneme._bpf import ffi, lib

from .testruns import run_program

_UNIT = 1 << 5  # CONNTRACK_UNIT_SHIFT
_SECOND = 1_000_000_000
#: Two instructions: return the jiffies, of which a test run gives the lower 32 bits.
_JIFFIES = bytes.fromhex("85000000760000009500000000000000")
_PACKET = bytes(64)
_U32 = 1 << 32
_COUNTS = (100, 250, 300, 1000)
_USUAL = 250
_FIRST_SECONDS = 300
#: So near to the moment at which they come round, their number says nothing.
_NEAR_SECONDS = 20
_WATCHED_SECONDS = 0.25


@frozen
class Jiffies:
    """How many there are in a second, and how many there were when the monotonic clock was 0."""

    hz: int
    first: int

    def at(self, monotonic_ns: int) -> int:
        """How many there are at a moment."""
        return self.first + monotonic_ns * self.hz // _SECOND


def units(seconds: float) -> int:
    """A span of time in units: never shorter, and never none."""
    return max(1, -(-int(seconds * jiffies().hz * 1000) // (_UNIT * 1000)))


def seconds(span: int) -> float:
    """The seconds of a span of units."""
    return span * _UNIT / jiffies().hz


def now() -> int:
    """The present moment in units, as programs see it but for a jiffy."""
    return jiffies().at(time.monotonic_ns()) // _UNIT % _U32


@cache
def jiffies() -> Jiffies:
    """The jiffies of this kernel. Without privileges, where nothing can run: the usual ones."""
    program = lib.axn_prog_load(
        lib.BPF_PROG_TYPE_SCHED_CLS, 0, b"jiffies", b"GPL", _JIFFIES, 2, ffi.NULL, 0
    )
    if program < 0:
        return Jiffies(_USUAL, _first(_USUAL))
    try:
        uptime, count = time.monotonic_ns(), _read(program)
        hz = guess(uptime, count) or _watch(program)
    finally:
        os.close(program)
    exact = _first(hz)
    off = (count - Jiffies(hz, exact).at(uptime) + _U32 // 2) % _U32 - _U32 // 2
    return Jiffies(hz, exact + off)


def _first(hz: int) -> int:
    return _U32 - _FIRST_SECONDS * hz


def _read(program: int) -> int:
    return run_program(program, _PACKET, b"", 1)[0]


def guess(uptime: int, count: int) -> int:
    """How many jiffies a second has, by the lower 32 bits of their number after so many ns.

    0 if it cannot be said, which is so five minutes after the start.
    """
    if abs(uptime - _FIRST_SECONDS * _SECOND) < _NEAR_SECONDS * _SECOND:
        return 0

    def off(hz: int) -> int:
        difference = (count - Jiffies(hz, _first(hz)).at(uptime)) % _U32
        return min(difference, _U32 - difference)

    return min(_COUNTS, key=off)


def _watch(program: int) -> int:
    """How many a second has, by looking on for a while."""
    started, before = time.monotonic(), _read(program)
    time.sleep(_WATCHED_SECONDS)
    count = (_read(program) - before) % _U32
    rate = count / (time.monotonic() - started)
    return min(_COUNTS, key=lambda hz: abs(hz - rate))
