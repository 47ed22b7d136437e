# SPDX-License-Identifier: Apache-2.0
"""Measuring on a machine whose speed drifts: in turns, and by medians."""

from __future__ import annotations

import os
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from tests.bench.processes import URGENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

#: Set by `--quick`: fewer and shorter turns, to see that the benchmarks run.
QUICK = "AXONEME_BENCH_QUICK"

_PAIRS = 9
_QUICK_PAIRS = 3


def quick() -> bool:
    """Whether this is only a trial."""
    return bool(os.environ.get(QUICK))


def pairs() -> int:
    """How many interleaved turns make a median."""
    return _QUICK_PAIRS if quick() else _PAIRS


def in_turns(
    measures: Mapping[str, Callable[[], T]], turns: int | None = None
) -> dict[str, list[T]]:
    """Measure all, one after another, in several turns; each turn begins with another of them."""
    names = list(measures)
    found: dict[str, list[T]] = {name: [] for name in names}
    for turn in range(turns or pairs()):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(measures[name]())
    return found


def ratio(ours: Sequence[float], base: Sequence[float]) -> float:
    """The median of the turns' ratios."""
    return median(a / b for a, b in zip(ours, base, strict=True))


def difference(ours: Sequence[float], base: Sequence[float]) -> float:
    """The median of the turns' differences."""
    return median(a - b for a, b in zip(ours, base, strict=True))


@contextmanager
def pinned(cpu: int | None = None) -> Iterator[int]:
    """Keep the calling thread on one CPU, by default the last it may use, and before others."""
    before, nice = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    chosen = max(before) if cpu is None else cpu
    os.sched_setaffinity(0, {chosen})
    os.setpriority(os.PRIO_PROCESS, 0, URGENT)
    try:
        yield chosen
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        os.sched_setaffinity(0, before)
