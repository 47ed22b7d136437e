# SPDX-License-Identifier: Apache-2.0
"""The meaning of policies, straight from their form: what compilers and programs must agree with.

Nothing here is fast, and nothing of it is shared with the compiler but the form itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.model.identity import OUTSIDE, RESERVED, Reserved
from axoneme.model.policy import CidrPeer, Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.model.address import Address
    from axoneme.model.labels import Labels
    from axoneme.model.policy import NamedPort, Peer, Policy, Ports, Rule


@frozen
class Party:
    """One end of a flow: its address, its labels unless it is outside, and its named ports."""

    address: Address | None = None
    labels: Labels | None = None
    ports: frozenset[NamedPort] = frozenset()

    @property
    def is_outside(self) -> bool:
        """Say whether it is outside the cluster."""
        return self.labels is None or any(
            self.labels == RESERVED[number].labels for number in OUTSIDE
        )

    @property
    def known_labels(self) -> Labels:
        """The labels by which selectors know it."""
        if self.labels is not None:
            return self.labels
        is_v6 = self.address is not None and self.address.version == 6
        return RESERVED[Reserved.WORLD_IPV6 if is_v6 else Reserved.WORLD_IPV4].labels


@frozen
class Verdict:
    """What becomes of a new flow, and why.

    `rules` are all that allow or deny it. When none does, `policies` are those whose default
    denial it is; without any, nothing restricts the pod.
    """

    allowed: bool
    rules: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()


def decide(
    policies: Iterable[Policy],
    subject: Party,
    peer: Party,
    *,
    direction: Direction,
    proto: int,
    port: int = 0,
) -> Verdict:
    """Say whether policies let a new flow into a pod or out of it.

    `subject` is the pod, `peer` the other end, `port` the one to which the flow goes.
    """
    selecting = [p for p in policies if p.subject.matches(subject.known_labels)]
    target = subject if direction is Direction.INGRESS else peer
    meant = [
        (str(policy.name_of(rule)), rule.deny)
        for policy, rule in _rules(selecting, direction)
        if means_peer(rule, peer) and means_port(rule, direction, target, proto, port)
    ]
    denying = tuple(name for name, deny in meant if deny)
    allowing = tuple(name for name, deny in meant if not deny)
    if denying or allowing:
        return Verdict(not denying, denying or allowing)
    closed = tuple(policy.title for policy in selecting if policy.default_deny(direction))
    return Verdict(not closed, policies=closed)


def _rules(policies: Iterable[Policy], direction: Direction) -> Iterator[tuple[Policy, Rule]]:
    for policy in policies:
        for rule in policy.rules(direction):
            yield policy, rule


def means_peer(rule: Rule, peer: Party) -> bool:
    """Say whether a rule is for a peer."""
    return rule.peers is None or any(is_meant(wanted, peer) for wanted in rule.peers)


def is_meant(wanted: Peer, peer: Party) -> bool:
    """Say whether one of a rule's peers is this one."""
    if isinstance(wanted, CidrPeer):
        if peer.address is None or not (peer.is_outside or wanted.any_peer):
            return False
        return wanted.holds(peer.address)
    return wanted.matches(peer.known_labels)


def means_port(rule: Rule, direction: Direction, target: Party, proto: int, port: int) -> bool:
    """Say whether a rule is for a port of `target`."""
    if rule.ports is None:
        return True
    # Of whom a network's addresses are is not known, and so neither what they call their ports.
    unnamed = direction is Direction.EGRESS and all(
        isinstance(peer, CidrPeer) for peer in rule.peers or (None,)
    )
    return any(
        is_port(wanted, frozenset() if unnamed else target.ports, proto, port)
        for wanted in rule.ports
    )


def is_port(wanted: Ports, named: frozenset[NamedPort], proto: int, port: int) -> bool:
    """Say whether one of a rule's ports is this one; `named` are those that the pod has named."""
    if wanted.proto == 0:
        return True
    if wanted.proto != proto:
        return False
    if wanted.name:
        return any((p.name, p.proto, p.port) == (wanted.name, proto, port) for p in named)
    return wanted.first <= port <= wanted.last
