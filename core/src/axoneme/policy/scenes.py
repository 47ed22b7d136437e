# SPDX-License-Identifier: Apache-2.0
"""A flow between two named parties, for whoever reasons about what policies make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from axoneme.model.policy import Direction
from axoneme.policy.reference import decide

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.model.policy import Policy
    from axoneme.policy.reference import Party, Verdict


@frozen
class Actor:
    """A party, and what people call it."""

    name: str
    party: Party


@frozen
class Scene:
    """Who speaks to whom, and on which port."""

    source: Actor
    target: Actor
    proto: int
    port: int = 0

    def subject(self, direction: Direction) -> Actor:
        """Whose policies count."""
        return self.source if direction is Direction.EGRESS else self.target

    def peer(self, direction: Direction) -> Actor:
        """The other end."""
        return self.target if direction is Direction.EGRESS else self.source

    def with_peer(self, direction: Direction, party: Party) -> Scene:
        """Return the same with another party at the other end."""
        actor = evolve(self.peer(direction), party=party)
        if direction is Direction.EGRESS:
            return evolve(self, target=actor)
        return evolve(self, source=actor)

    def verdict(self, policies: Iterable[Policy], direction: Direction) -> Verdict:
        """What the reference model says in one direction."""
        subject, peer = self.subject(direction).party, self.peer(direction).party
        return decide(
            policies, subject, peer, direction=direction, proto=self.proto, port=self.port
        )
