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

#: So many are told, and so many are tried at most: people wait for the answer.
_TOLD: Final = 3
_TRIED: Final = 128
_TRIED_OF_A_RULE: Final = 64


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
    told: dict[tuple[str, ...], Miss] = {}
    for miss, _ in near_worlds(policies, scene, direction):
        told.setdefault(miss.changes, miss)
        if len(told) == _TOLD:
            break
    return tuple(told.values())


def near_worlds(
    policies: Iterable[Policy], scene: Scene, direction: Direction
) -> Iterator[tuple[Miss, World]]:
    """Each of them, and the world in which it is so."""
    now: World = tuple(policies), scene
    candidates = sorted(_candidates(*now, direction), key=lambda one: len(one[0]))[:_TRIED]
    for whole in (True, False):
        ways = tuple(Direction) if whole else (direction,)
        fewest = 0
        for edits, rule in candidates:
            if fewest and len(edits) > fewest:
                break
            then = _changed(now, edits)
            if all(then[1].verdict(then[0], way).allowed for way in ways):
                fewest = len(edits)
                yield Miss(tuple(edit.words for edit in edits), rule, whole), then
        if fewest:
            return


def _changed(world: World, edits: Iterable[Edit]) -> World:
    for edit in edits:
        world = edit.change(world)
    return world


def _candidates(
    policies: tuple[Policy, ...], scene: Scene, direction: Direction
) -> Iterator[tuple[tuple[Edit, ...], str]]:
    """Changes that may do, with the rule that they are for."""
    labels = scene.subject(direction).party.known_labels
    for policy in policies:
        if not policy.subject.matches(labels):
            continue
        for rule in policy.rules(direction):
            name = str(policy.name_of(rule))
            for edits in islice(_edits(rule, scene, direction, name), _TRIED_OF_A_RULE):
                yield edits, name


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
