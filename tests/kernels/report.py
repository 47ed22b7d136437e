# SPDX-License-Identifier: Apache-2.0
"""Sums up the runs: a table plugin x loader x kernel, what went wrong, and one line of totals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .results import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .results import Result


@dataclass(frozen=True)
class Run:
    """All tests on one kernel."""

    kernel: str
    results: tuple[Result, ...] = ()
    problem: str = ""  # why the run does not count, though no test failed


def judge(kernel: str, results: tuple[Result, ...], exit_code: int) -> Run:
    """Make a run of its results; it has a problem if it proves nothing, or less than it seems."""
    outcomes = {result.outcome for result in results}
    if outcomes <= {Outcome.SKIPPED}:
        return Run(kernel, results, f"no test ran (pytest's exit code: {exit_code})")
    if exit_code and Outcome.FAILED not in outcomes:
        return Run(kernel, results, f"no test failed, yet pytest's exit code is {exit_code}")
    return Run(kernel, results)


def table(runs: Sequence[Run]) -> str:
    """Lay out one row for each plugin and loader, one column for each kernel."""
    keys = sorted({(result.plugin, result.loader) for run in runs for result in run.results})
    rows = [("plugin", "loader", *(run.kernel for run in runs))]
    for plugin, loader in keys:
        picked = [
            [r for r in run.results if (r.plugin, r.loader) == (plugin, loader)] for run in runs
        ]
        rows.append((plugin, loader, *map(_cell, picked)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def faults(runs: Iterable[Run]) -> list[str]:
    """Name every failed test, and every run that does not count."""
    lines = []
    for run in runs:
        if run.problem:
            lines.append(f"{run.kernel}: {run.problem}")
        failed = (r.test for r in run.results if r.outcome is Outcome.FAILED)
        lines += [f"{run.kernel}: FAILED {test}" for test in failed]
    return lines


def totals(runs: Iterable[Run]) -> str:
    """Count all tests; a run that does not count is one failure."""
    counts: Counter[Outcome] = Counter()
    for run in runs:
        counts.update(result.outcome for result in run.results)
        counts[Outcome.FAILED] += bool(run.problem)
    order = (Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED)
    return "kernels: " + ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in order)


def _cell(results: Sequence[Result]) -> str:
    counts = Counter(result.outcome for result in results)
    parts = []
    if counts[Outcome.FAILED]:
        parts.append(f"{counts[Outcome.FAILED]} FAILED")
    if counts[Outcome.PASSED]:
        parts.append(f"{counts[Outcome.PASSED]} passed")
    if counts[Outcome.SKIPPED]:
        reasons = sorted({result.reason for result in results if result.reason})
        parts.append(f"{counts[Outcome.SKIPPED]} skipped: {', '.join(reasons) or 'no reason'}")
    return ", ".join(parts) or "-"
