# SPDX-License-Identifier: Apache-2.0
"""What would have to be different for a packet to pass that a policy has refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.model.identity import RESERVED, Reserved
from axoneme.model.policy import Direction
from axoneme.policy import Actor, Party, Scene, near_misses

if TYPE_CHECKING:
    from axoneme.agent.cluster import Cluster
    from axoneme.model import Address

    from .ends import End, Question

#: Reasons of what policies refuse; a stage of `policy` may have others.
_REFUSED = ("policy_denied", "policy_deny")
_MAPS_DIFFER = (
    "The policies allow it as they are written now: the rule sets of the node's maps are others. "
    "See what `axoneme status` says of drift and of problems."
)
_NO_CHANGE = "No small change would do: it needs a rule of its own."


def advise(cluster: Cluster, question: Question, refusal: dict[str, Any] | None) -> list[str]:
    """Return sentences, the nearest miss first; nothing where no policy has refused."""
    if refusal is None or refusal["reason"]["name"] not in _REFUSED:
        return []
    source, target, flow = question.source, question.target, question.flow
    scene = Scene(
        _actor(source, target, flow.source),
        _actor(target, source, flow.target),
        flow.protocol,
        flow.port,
    )
    direction = Direction[refusal["direction"].upper()]
    policies = cluster.manifests.policies
    if scene.verdict(policies, direction).allowed:
        return [_MAPS_DIFFER]
    return [
        f"It would be allowed if {miss} ({miss.rule})"
        + ("." if miss.whole else ", but the policies of the other end would refuse it then.")
        for miss in near_misses(policies, scene, direction)
    ] or [_NO_CHANGE]


def _actor(end: End, other: End, address: Address) -> Actor:
    """An end as the policies of the other one know it."""
    if end.pod is not None:
        party = Party(address, end.pod.labels, frozenset(end.pod.named_ports))
    elif end.node:
        number = Reserved.HOST if end.node == other.node else Reserved.REMOTE_NODE
        party = Party(address, RESERVED[number].labels)
    else:
        party = Party(address)
    return Actor(end.name, party)
