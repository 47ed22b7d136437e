# SPDX-License-Identifier: Apache-2.0
"""How long things took, counted by how long."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from attrs import define, field

_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@define
class Durations:
    """A histogram of seconds."""

    total: float = 0.0
    _counts: list[int] = field(factory=lambda: [0] * (len(_BOUNDS) + 1), init=False)

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """How many took at most so long, for each bound."""
        found, sum_ = [], 0
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self._counts, strict=True):
            sum_ += count
            found.append((bound, float(sum_)))
        return found
