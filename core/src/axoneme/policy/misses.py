# SPDX-License-Identifier: Apache-2.0
"""Near misses: the smallest changes by which a flow that policies refuse would be allowed.

Changes are guessed from the rules, and the reference model is asked about each: what would not do
is not told.
"""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Final

from attrs import frozen

from axoneme.model.policy import Direction
from axoneme.policy._edits import edits_of_denial, edits_of_peer, edits_of_port
from axoneme.policy.reference import means_peer, means_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.model.policy import Policy, Rule
    from axoneme.policy._edits import Edit, World
    from axoneme.policy.scenes import Scene

#: So many are told, and so many combinations of one rule's changes are tried.
_TOLD: Final = 3
_TRIED: Final = 64


@frozen
class Miss:
    """What would have to be so, in words that follow "if", and the rule by which it would do.

    It is not `whole` if the policies of the other end would refuse the flow all the same.
    """

    changes: tuple[str, ...]
    rule: str
    whole: bool = True

    def __str__(self) -> str:
        """Return the changes as a clause."""
        return " and ".join(self.changes)


def near_misses(policies: Iterable[Policy], scene: Scene, direction: Direction) -> tuple[Miss, ...]:
    """Return what would let a flow pass that is refused in a direction: the fewest changes."""
    misses = [miss for miss, _ in near_worlds(policies, scene, direction)]
    return tuple({miss.changes: miss for miss in reversed(misses)}.values())[::-1][:_TOLD]


def near_worlds(
    policies: Iterable[Policy], scene: Scene, direction: Direction
) -> list[tuple[Miss, World]]:
    """Return each of them with the world in which it is so."""
    found = list(_worlds(tuple(policies), scene, direction))
    for whole in (True, False):
        ways = tuple(Direction) if whole else (direction,)
        holding = [
            (Miss(tuple(edit.words for edit in edits), rule, whole), world)
            for edits, rule, world in found
            if all(world[1].verdict(world[0], way).allowed for way in ways)
        ]
        if holding:
            fewest = min(len(miss.changes) for miss, _ in holding)
            return [one for one in holding if len(one[0].changes) == fewest]
    return []


def _worlds(
    policies: tuple[Policy, ...], scene: Scene, direction: Direction
) -> Iterator[tuple[tuple[Edit, ...], str, World]]:
    labels = scene.subject(direction).party.known_labels
    for policy in policies:
        if not policy.subject.matches(labels):
            continue
        for rule in policy.rules(direction):
            name = f"{policy.title} {rule.where}"
            for edits in islice(_edits(rule, scene, direction, name), _TRIED):
                world: World = policies, scene
                for edit in edits:
                    world = edit.change(world)
                yield edits, name, world


def _edits(rule: Rule, scene: Scene, direction: Direction, name: str) -> Iterator[tuple[Edit, ...]]:
    """What would make a rule allow, or deny no more."""
    is_peer = means_peer(rule, scene.peer(direction).party)
    is_port = means_port(rule, direction, scene.target.party, scene.proto, scene.port)
    if rule.deny:
        if is_peer and is_port:
            yield from ((edit,) for edit in edits_of_denial(rule, scene, direction, name))
        return
    of_peer = [()] if is_peer else list(edits_of_peer(rule, scene, direction))
    of_port = [()] if is_port else [(edit,) for edit in edits_of_port(rule, scene)]
    for first, second in product(of_peer, of_port):
        if first or second:
            yield (*first, *second)
