# SPDX-License-Identifier: Apache-2.0
"""What an agent has to say: problems as they happen, and those that last until somebody acts."""

from __future__ import annotations

import logging
import time

from attrs import define, field

_log = logging.getLogger(__name__)
_KEPT = 16


@define
class Notes:
    """The last problems, and what is wrong until somebody does something about it.

    refused: why the configuration on disk is not in effect. fixed: keys of it that an agent reads
    when it starts, and have changed since. start: what was wrong when this one started.
    """

    refused: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    _times: dict[str, float] = field(factory=dict, init=False)

    def note(self, problem: str) -> str:
        """Log a problem, if it is a new one, and keep the last few; returns it."""
        if problem not in self._times:
            _log.error("%s", problem)
            kept = list(self._times.items())[-_KEPT + 1 :]
            self._times = dict(kept)
        self._times[problem] = time.monotonic()
        return problem

    @property
    def problems(self) -> list[str]:
        """The last problems, in the order in which they were noted first."""
        return list(self._times)

    def ages(self) -> dict[str, float]:
        """How many seconds ago each of them was noted last."""
        now = time.monotonic()
        return {text: now - noted for text, noted in self._times.items()}
