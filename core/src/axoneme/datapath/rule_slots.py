# SPDX-License-Identifier: Apache-2.0
"""Slots of rule sets: one for each identity that an endpoint of this node has."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.errors import MapFull

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The slot of endpoints for which no rule set holds.
NO_SLOT = 0


@define
class RuleSlots:
    """Who has which slot. One that was given back is the last to be given again."""

    entries: int
    _by_identity: dict[int, int] = field(factory=dict, init=False)
    _free: deque[int] = field(factory=deque, init=False)
    _next: int = field(default=NO_SLOT + 1, init=False)

    def adopt(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Take over pairs of identity and slot; of a slot that two claim the first has it."""
        for identity, slot in pairs:
            if slot in range(NO_SLOT + 1, self.entries) and slot not in self.taken:
                self._by_identity.setdefault(identity, slot)
        self._next = max(self.taken, default=NO_SLOT) + 1
        self._free = deque(sorted(set(range(NO_SLOT + 1, self._next)) - self.taken))

    @property
    def by_identity(self) -> Mapping[int, int]:
        """The slot of each identity."""
        return dict(self._by_identity)

    @property
    def taken(self) -> set[int]:
        """The slots that somebody has."""
        return set(self._by_identity.values())

    def slot(self, identity: int) -> int:
        """The slot of an identity, which has it from now on.

        Raises:
            MapFull: there are more identities on this node than slots.
        """
        known = self._by_identity.get(identity)
        if known is not None:
            return known
        if self._next < self.entries:
            slot, self._next = self._next, self._next + 1
        elif self._free:
            slot = self._free.popleft()
        else:
            raise MapFull(
                f"all {self.entries - 1} slots are taken by identities of this node: raise "
                "agent.map-entries.rule-sets",
                map="rule_sets",
            )
        self._by_identity[identity] = slot
        return slot

    def release(self, identity: int) -> int:
        """Give an identity's slot back; which it was, or 0."""
        slot = self._by_identity.pop(identity, NO_SLOT)
        if slot:
            self._free.append(slot)
        return slot
