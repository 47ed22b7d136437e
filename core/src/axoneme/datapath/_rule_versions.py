# SPDX-License-Identifier: Apache-2.0
"""Which version of a rule set each slot names, and which versions go in a moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from axoneme.model.rule_set import RuleSet

    from ._rule_rows import RuleRows

_VERSIONS = 1 << 32
#: Seconds for which a version that is no more in effect stays: a packet may be looking it up.
_GRACE = 0.1


@define
class RuleVersions:
    """The versions in effect, by slot: several may name one. `last` is the newest number."""

    last: int = field(default=0, init=False)
    _installed: dict[int, RuleRows] = field(factory=dict, init=False)
    _retired: list[tuple[float, RuleRows]] = field(factory=list, init=False)

    @property
    def in_use(self) -> set[int]:
        """The numbers that slots name."""
        return {rows.version for rows in self._installed.values()}

    @property
    def waiting(self) -> bool:
        """Whether versions are there that no slot names."""
        return bool(self._retired)

    def following(self) -> Iterator[int]:
        """Numbers that no version has, nor had lately."""
        used = self.in_use | {rows.version for _, rows in self._retired}
        version = self.last
        while True:
            version = (version + 1) % _VERSIONS
            if version and version not in used:
                yield version

    def holds(self, slot: int, rule_set: RuleSet) -> bool:
        """Whether a slot has a version of this rule set."""
        rows = self._installed.get(slot)
        return rows is not None and rows.holds(rule_set.entries, rule_set.flags)

    def put(self, filled: Mapping[int, RuleRows]) -> bool:
        """Let slots name versions; whether one of them named another before."""
        old = [self._installed[slot] for slot in filled if slot in self._installed]
        self._installed.update(filled)
        self._retire(old)
        return bool(old)

    def discard(self, slot: int) -> bool:
        """Let a slot name none; whether it named one."""
        rows = self._installed.pop(slot, None)
        if rows is not None:
            self._retire([rows])
        return rows is not None

    def _retire(self, old: Iterable[RuleRows]) -> None:
        """Have versions go in a moment, if no slot names them any more."""
        used = self.in_use
        gone = {rows.version: rows for rows in old if rows.version not in used}
        until = time.monotonic() + _GRACE
        self._retired += [(until, rows) for rows in gone.values()]

    def take_due(self, *, everything: bool = False) -> list[RuleRows]:
        """Forget the versions whose moment is over, and return them."""
        now = time.monotonic()
        due = [rows for until, rows in self._retired if everything or until <= now]
        self._retired = [(u, rows) for u, rows in self._retired if not everything and u > now]
        return due
