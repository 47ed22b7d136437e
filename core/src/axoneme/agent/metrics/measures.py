# SPDX-License-Identifier: Apache-2.0
"""What the agent counts as it happens: plain numbers, which are metrics only when somebody asks."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.datapath.collector import FIRST_INTERVAL

from .durations import Durations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.agent.engine import Applied
    from axoneme.agent.reconcilers import Finding
    from axoneme.datapath import Collection

_OK, _FAILED = "success", "failure"
_LABELS = tuple[str, ...]
_ROOT = "axoneme"


@define
class Measures:
    """All of it. Only the agent's one thread writes here, but for `log`."""

    swaps: Counter[_LABELS] = field(factory=Counter, init=False)
    regenerations: Counter[_LABELS] = field(factory=Counter, init=False)
    swap_seconds: Durations = field(factory=Durations, init=False)
    collections: Counter[_LABELS] = field(factory=Counter, init=False)
    collect_seconds: Durations = field(factory=Durations, init=False)
    collect_interval: float = field(default=FIRST_INTERVAL, init=False)
    last_collection: Collection | None = field(default=None, init=False)
    #: The time.monotonic() of its end.
    last_collected: float | None = field(default=None, init=False)
    policy_changes: Counter[_LABELS] = field(factory=Counter, init=False)
    policy_delay: Durations = field(factory=Durations, init=False)
    rounds: Counter[_LABELS] = field(factory=Counter, init=False)
    round_seconds: dict[_LABELS, Durations] = field(factory=dict, init=False)
    failing: int = field(default=0, init=False)
    repairs: Counter[_LABELS] = field(factory=Counter, init=False)
    requests: dict[_LABELS, Durations] = field(factory=dict, init=False)
    bootstrap: dict[_LABELS, float] = field(factory=dict, init=False)
    log: Counter[_LABELS] = field(factory=Counter, init=False)

    def swapped(self, applied: Applied, endpoints: int) -> None:
        """A configuration was put in effect for so many endpoints, or refused."""
        outcome = (_FAILED,) if applied.swap is None else (_OK,)
        self.swaps[outcome] += 1
        self.regenerations[outcome] += endpoints
        if applied.swap is not None:
            self.swap_seconds.observe(applied.swap.seconds)

    def collected(self, found: Collection, interval: float) -> None:
        """Connections were collected, and will be again after so many seconds."""
        self.collect_interval = interval
        self.collections["completed",] += 1
        self.collect_seconds.observe(found.seconds)
        self.last_collection, self.last_collected = found, time.monotonic()

    @contextmanager
    def policy_change(self) -> Iterator[None]:
        """A change of policies is told of, and being put in effect."""
        started = time.perf_counter()
        try:
            yield
        except BaseException:
            self.policy_changes["fail",] += 1
            raise
        self.policy_changes[_OK,] += 1
        self.policy_delay.observe(time.perf_counter() - started)

    @contextmanager
    def round(self) -> Iterator[list[Finding]]:
        """A round of repair; what was found is put into the list."""
        found: list[Finding] = []
        started = time.perf_counter()
        yield found
        self.failing = sum(not one.repaired for one in found)
        status = (_FAILED,) if self.failing else (_OK,)
        self.rounds[status] += 1
        seconds = time.perf_counter() - started
        self.round_seconds.setdefault(status, Durations()).observe(seconds)
        for one in found:
            self.repairs[one.reconciler, "repaired" if one.repaired else "failed"] += 1

    def requested(self, method: str, code: int, seconds: float) -> None:
        """A request of the CNI was answered."""
        self.requests.setdefault(("/cni", method, str(code)), Durations()).observe(seconds)

    @contextmanager
    def starting(self, scope: str) -> Iterator[None]:
        """A part of the agent's start."""
        started = time.perf_counter()
        yield
        self.bootstrap[scope, _OK] = time.perf_counter() - started

    def families(self) -> Iterable[tuple[str, Iterable[tuple[_LABELS, object]]]]:
        """The metrics by name, with their values by labels."""
        conntrack = ("any", "any")
        found = self.last_collection
        yield "axoneme_swaps", self.swaps.items()
        yield "cilium_endpoint_regenerations", self.regenerations.items()
        yield "axoneme_swap_seconds", [((), self.swap_seconds)]
        yield (
            "cilium_datapath_conntrack_gc_runs",
            [((*conntrack, *status), n) for status, n in self.collections.items()],
        )
        yield (
            "cilium_datapath_conntrack_gc_duration_seconds",
            [((*conntrack, "completed"), self.collect_seconds)],
        )
        yield "cilium_datapath_conntrack_gc_interval_seconds", [((), self.collect_interval)]
        alive = {"alive": found.live, "deleted": found.deleted} if found else {}
        yield (
            "cilium_datapath_conntrack_gc_entries",
            [((*conntrack, status), n) for status, n in alive.items()],
        )
        yield (
            "cilium_policy_change",
            [((*outcome, "embedded", "update"), n) for outcome, n in self.policy_changes.items()],
        )
        yield "cilium_policy_max_revision", [((), self.policy_changes.total())]
        yield "cilium_policy_implementation_delay", [(("embedded",), self.policy_delay)]
        yield "cilium_controllers_runs", self.rounds.items()
        yield "cilium_controllers_runs_duration_seconds", self.round_seconds.items()
        yield "cilium_controllers_failing", [((), self.failing)]
        yield "axoneme_repairs", self.repairs.items()
        yield "cilium_api_process_time_seconds", self.requests.items()
        yield "cilium_agent_bootstrap_seconds", self.bootstrap.items()
        yield "cilium_errors_warnings", list(self.log.items())


class LogCounter(logging.Handler):
    """Counts what is logged by level and by the part of axoneme that says it."""

    def __init__(self, measures: Measures) -> None:
        super().__init__(logging.WARNING)
        self._measures = measures

    def emit(self, record: logging.LogRecord) -> None:
        """Count one; a name has the parts axoneme, the package, and so on."""
        root, _, rest = record.name.partition(".")
        subsystem = rest.partition(".")[0] if root == _ROOT and rest else "other"
        self._measures.log[record.levelname.lower(), subsystem] += 1
