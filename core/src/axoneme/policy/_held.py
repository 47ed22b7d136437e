# SPDX-License-Identifier: Apache-2.0
"""What the resolver knows of one manifest's policies, found once when they are put."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme.model.policy import CidrPeer, Direction
from axoneme.policy._peers import EVERYONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.model.labels import Labels
    from axoneme.model.policy import EntityPeer, Network, Peer, Policy, Rule, SelectorPeer
    from axoneme.model.selector import Selector


@frozen(eq=False)
class Held:
    """The policies of one manifest with the peers and networks they name."""

    policies: tuple[Policy, ...]
    peers: frozenset[SelectorPeer | EntityPeer] = field(init=False)
    networks: frozenset[Network] = field(init=False)

    @peers.default
    def _find_peers(self) -> frozenset[SelectorPeer | EntityPeer]:
        found = {peer for peer in self._all_peers() if not isinstance(peer, CidrPeer)}
        # What a port is called has to be asked of everyone, and may change with everyone.
        return frozenset({*found, EVERYONE} if self.asks_for_names else found)

    @networks.default
    def _find_networks(self) -> frozenset[Network]:
        cidrs = [peer for peer in self._all_peers() if isinstance(peer, CidrPeer)]
        return frozenset(network for peer in cidrs for network in (peer.cidr, *peer.excepts))

    def _all_peers(self) -> Iterator[Peer]:
        for rule in self._rules(*Direction):
            yield from rule.peers or ()

    def _rules(self, *directions: Direction) -> Iterator[Rule]:
        for policy in self.policies:
            for direction in directions:
                yield from policy.rules(direction)

    @property
    def subjects(self) -> frozenset[Selector]:
        """Whom the policies are for."""
        return frozenset(policy.subject for policy in self.policies)

    @property
    def asks_for_names(self) -> bool:
        """Say whether a rule names a port of peers."""
        return any(port.name for rule in self._rules(Direction.EGRESS) for port in rule.ports or ())

    def selects(self, labels: Labels) -> bool:
        """Say whether one of the policies is for a pod with these labels."""
        return any(policy.subject.matches(labels) for policy in self.policies)

    def names(self) -> Iterator[str]:
        """Yield what verdicts call the rules."""
        for policy in self.policies:
            for direction in Direction:
                for rule in policy.rules(direction):
                    yield str(policy.name_of(rule))
