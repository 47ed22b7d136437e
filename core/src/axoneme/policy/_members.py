# SPDX-License-Identifier: Apache-2.0
"""Who matches the selectors of policies, kept up while identities come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.model.identity import RESERVED, Reserved

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from axoneme.model.identity import Identity
    from axoneme.model.policy import EntityPeer, NamedPort, SelectorPeer


def _packets_carry() -> dict[int, Identity]:
    # Packets say which family of the world they are from.
    return {number: i for number, i in RESERVED.items() if number != Reserved.WORLD}


@define
class WatchedMembers:
    """The identities of the cluster, and for each peer that is watched those it means."""

    identities: dict[int, Identity] = field(factory=_packets_carry, init=False)
    _ports: dict[int, frozenset[NamedPort]] = field(factory=dict, init=False)
    _meant: dict[SelectorPeer | EntityPeer, set[int]] = field(factory=dict, init=False)
    _watchers: dict[SelectorPeer | EntityPeer, int] = field(factory=dict, init=False)

    def watch(self, peers: Iterable[SelectorPeer | EntityPeer]) -> None:
        """Keep up who is meant until `unwatch` has been called as often."""
        for peer in peers:
            if peer not in self._meant:
                self._meant[peer] = {
                    number for number, i in self.identities.items() if peer.matches(i.labels)
                }
            self._watchers[peer] = self._watchers.get(peer, 0) + 1

    def unwatch(self, peers: Iterable[SelectorPeer | EntityPeer]) -> None:
        """Forget who is meant."""
        for peer in peers:
            self._watchers[peer] -= 1
            if not self._watchers[peer]:
                del self._watchers[peer], self._meant[peer]

    def put(self, identity: Identity) -> list[SelectorPeer | EntityPeer]:
        """Add an identity; return the peers of whom there is one more now."""
        self.identities[identity.number] = identity
        found = [peer for peer in self._meant if peer.matches(identity.labels)]
        for peer in found:
            self._meant[peer].add(identity.number)
        return found

    def remove(self, number: int) -> list[SelectorPeer | EntityPeer]:
        """Take an identity out; return the peers of whom there is one less now."""
        self.identities.pop(number, None)
        self._ports.pop(number, None)
        found = [peer for peer, numbers in self._meant.items() if number in numbers]
        for peer in found:
            self._meant[peer].remove(number)
        return found

    def put_ports(self, number: int, ports: frozenset[NamedPort]) -> bool:
        """Keep the named ports of an identity's pods; say whether they are others now."""
        if ports == self._ports.get(number, frozenset()):
            return False
        self._ports[number] = ports
        return True

    def numbers(self, peer: SelectorPeer | EntityPeer) -> Collection[int]:
        """Return the identities that a watched peer means."""
        return self._meant[peer]

    def named_ports(self, number: int) -> frozenset[NamedPort]:
        """Return the named ports of an identity's pods."""
        return self._ports.get(number, frozenset())
