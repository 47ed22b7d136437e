# SPDX-License-Identifier: Apache-2.0
"""What a benchmark found: a figure, and the goal that an issue set for it, if one did."""

from __future__ import annotations

from attrs import frozen

_ISSUE = "frame"


@frozen
class Result:
    """One row: a goal is the most that the value may be, or the least with `at_least`."""

    name: str
    value: float
    unit: str = ""
    goal: float | None = None
    at_least: bool = False
    issue: str = _ISSUE

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_json(self) -> dict[str, object]:
        """The row as build/bench.json has it."""
        return {
            "issue": self.issue,
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "goal": self.goal,
            "at_least": self.at_least,
            "met": self.met,
        }


class BenchError(Exception):
    """A benchmark did not measure what it says: the message names what went wrong."""
