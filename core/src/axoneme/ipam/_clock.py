# SPDX-License-Identifier: Apache-2.0
"""The time of day, which means the same after a restart, and by how much it was set meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Less than this is drift, or the time between looking at one clock and at the other.
_SET_SECONDS: Final = 1.0


class Clock:
    """A clock that may be set, watched by one that may not; both count seconds."""

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        self._wall, self._steady = wall, steady
        self._apart = wall() - steady()

    def now(self) -> float:
        """Seconds of Unix, to a thousandth."""
        return round(self._wall(), 3)

    def set_by(self) -> float:
        """By how many seconds the clock was set since this was asked last."""
        shift = self._wall() - self._steady() - self._apart
        if abs(shift) < _SET_SECONDS:
            return 0.0
        self._apart += shift
        return shift
