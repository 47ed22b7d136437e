# SPDX-License-Identifier: Apache-2.0
"""What an agent has to say: problems as they happen, and those that last until somebody acts."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.datapath import Carried

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
    _faults: set[str] = field(factory=set, init=False)

    def note(self, problem: str) -> str:
        """Log a problem, if it is a new one, and keep the last few; returns it."""
        if problem not in self._times:
            _log.error("%s", problem)
            kept = list(self._times.items())[-_KEPT + 1 :]
            self._times = dict(kept)
        self._times[problem] = time.monotonic()
        return problem

    def fault(self, problem: str) -> None:
        """Note a problem that is an error of the agent's own, and that nobody else can mend."""
        self.note(problem)
        self._faults = {text for text in (*self._faults, problem) if text in self._times}

    def is_fault(self, problem: str) -> bool:
        """Whether a problem was noted as the agent's own error."""
        return problem in self._faults

    def carried(self, carried: Iterable[Carried]) -> None:
        """Say what became of rows whose map has another layout now; a loss is a problem."""
        for one in carried:
            if one.problem or one.left:
                self.note(str(one))
            else:
                _log.info("%s", one)

    @property
    def problems(self) -> list[str]:
        """The last problems, in the order in which they were noted first."""
        return list(self._times)

    def ages(self) -> dict[str, float]:
        """How many seconds ago each of them was noted last."""
        now = time.monotonic()
        return {text: now - noted for text, noted in self._times.items()}
