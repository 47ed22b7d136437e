# SPDX-License-Identifier: Apache-2.0
"""The one row that every program reads: the generation of verdicts, and what else it must know."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from .datapath import Datapath
    from .tables import Table

_ROW = 0
_SEED_BITS = 32
_SECOND = 1_000_000_000
#: AXN_GENERATION_BITS: as many as conntrack remembers with a verdict.
GENERATIONS = 1 << 24


@frozen
class Runtime:
    """The pinned row; both its numbers outlive the agent. Several may have it, in one thread."""

    _table: Table

    @classmethod
    def open(cls, datapath: Datapath) -> Runtime:
        """The row of a datapath that has been committed."""
        return cls(datapath.table("runtime"))

    def begin(self) -> None:
        """Give a row that was just made its first numbers, before any program reads it."""
        if not (self.generation and self.seed):
            self.bump()

    @property
    def generation(self) -> int:
        """The present generation, never 0 once the row has begun."""
        return int(self._table[_ROW]["generation"])

    @property
    def seed(self) -> int:
        """The seed of conntrack's cookies: one for as long as the map lives."""
        return int(self._table[_ROW]["seed"])

    def bump(self) -> int:
        """Begin a generation: every flow is asked for again, at its next packet.

        Call it after what verdicts follow from has changed, never before: a verdict given in
        between would be remembered as one of the new generation.
        """
        row = self._table[_ROW]
        generation = (row["generation"] + 1) % GENERATIONS or 1
        # 0 is what a map that was just made has.
        seed = row["seed"] or secrets.randbits(_SEED_BITS) | 1
        self.put(generation=generation, seed=seed)
        return generation

    def want_events(self, kinds: int, rate: int = 0, burst: int = 0) -> None:
        """Say which kinds of events are to be told (bits of `EventKind`), from the next packet on.

        rate: of each type, in a second, on each CPU; 0: as many as there are. burst: so many may
        come at once.
        """
        gap = _SECOND // rate if rate else 0
        self.put(events=kinds, event_gap=gap, event_slack=gap * max(burst - 1, 0))

    def put(self, **values: int) -> None:
        """Change some numbers of the row, and leave the others."""
        self._table.write([(_ROW, {**self._table[_ROW], **values})])
