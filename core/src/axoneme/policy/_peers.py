# SPDX-License-Identifier: Apache-2.0
"""Which numbers a rule's peers are: identities by their labels, networks by the CIDRs named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from attrs import field, frozen

from axoneme.model.identity import RESERVED, Reserved
from axoneme.model.policy import CidrPeer, Entity, EntityPeer
from axoneme.wire import is_within

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from axoneme.model.identity import Identity
    from axoneme.model.policy import NamedPort, Network, Peer, SelectorPeer

ANYONE: Final = 0
#: Added to a network's number: those of its addresses that are inside the cluster.
INSIDE: Final = 1 << 30

_FAMILIES: Final = {Reserved.WORLD_IPV4: 4, Reserved.WORLD_IPV6: 6}
EVERYONE: Final = EntityPeer(Entity.ALL)


class Members(Protocol):
    """Knows who matches a selector or is of an entity."""

    def numbers(self, peer: SelectorPeer | EntityPeer) -> Collection[int]:
        """Return the identities that are meant, WORLD itself left out."""
        ...

    def named_ports(self, number: int) -> Iterable[NamedPort]:
        """Return the named ports of an identity's pods."""
        ...


@frozen
class ScannedMembers:
    """Members found by asking each identity of a mapping."""

    identities: Mapping[int, Identity]
    ports: Mapping[int, Iterable[NamedPort]]

    def numbers(self, peer: SelectorPeer | EntityPeer) -> Collection[int]:
        """Return the identities that are meant, WORLD itself left out."""
        known = {**RESERVED, **self.identities}
        # Packets say which family of the world they are from.
        known.pop(Reserved.WORLD, None)
        return [number for number, identity in known.items() if peer.matches(identity.labels)]

    def named_ports(self, number: int) -> Iterable[NamedPort]:
        """Return the named ports of an identity's pods."""
        return self.ports.get(number, ())


@frozen
class Networks:
    """The numbers of all networks that policies name.

    An address has the number of the longest of them that it is in, and no other; so one that is
    named within another, or taken out of it, has to be counted on its own.
    """

    numbers: Mapping[Network, int]
    _covered: dict[CidrPeer, tuple[int, ...]] = field(factory=dict, init=False)
    _families: dict[int, tuple[int, ...]] = field(factory=dict, init=False)

    def covered(self, peer: CidrPeer) -> tuple[int, ...]:
        """Return the networks all whose addresses are meant."""
        if peer not in self._covered:
            self._covered[peer] = tuple(self._inside(peer))
        return self._covered[peer]

    def _inside(self, peer: CidrPeer) -> Iterable[int]:
        missing = [str(cidr) for cidr in (peer.cidr, *peer.excepts) if cidr not in self.numbers]
        if missing:
            raise ValueError(f"{', '.join(missing)} must have an identity before it is compiled")
        return (
            number
            for network, number in self.numbers.items()
            if is_within(network, peer.cidr)
            and not any(is_within(network, hole) for hole in peer.excepts)
        )

    def family(self, version: int) -> tuple[int, ...]:
        """Return all networks of IPv4 or of IPv6."""
        if version not in self._families:
            items = self.numbers.items()
            found = tuple(number for network, number in items if network.version == version)
            self._families[version] = found
        return self._families[version]


@frozen
class Expansion:
    """Turns peers into the numbers of entries, for a rule set that names networks or does not.

    It is for one state of the cluster: what it has found once it does not ask for again.
    """

    members: Members
    networks: Networks
    names_cidrs: bool
    _found: dict[tuple[Peer, ...], Collection[int]] = field(factory=dict, init=False)

    def numbers(self, peers: tuple[Peer, ...] | None) -> Collection[int]:
        """Return the numbers of all that a rule means; of inside addresses, with INSIDE added."""
        if peers is None:
            return (ANYONE,)
        if peers not in self._found:
            self._found[peers] = self._find(peers)
        return self._found[peers]

    def _find(self, peers: tuple[Peer, ...]) -> Collection[int]:
        found: dict[int, None] = {}
        for peer in peers:
            if isinstance(peer, CidrPeer):
                covered = self.networks.covered(peer)
                found.update(dict.fromkeys(covered))
                if peer.any_peer:
                    found.update(dict.fromkeys(number | INSIDE for number in covered))
            elif peer == EVERYONE:
                return (ANYONE,)
            else:
                found.update(dict.fromkeys(self._placed(self.members.numbers(peer))))
        return found

    def _placed(self, numbers: Collection[int]) -> Collection[int]:
        """Return identities with the world in parts, where the rule set names networks.

        An entry for the world would be found before one that denies a network of it.
        """
        world = [number for number in _FAMILIES if self.names_cidrs and number in numbers]
        if not world:
            return numbers
        placed = [number for number in numbers if number not in _FAMILIES]
        for number in world:
            placed += self.networks.family(_FAMILIES[number])
        return placed

    def pods(self, peers: tuple[Peer, ...] | None) -> Iterable[int]:
        """Return those of the peers that may have named ports."""
        for peer in (EVERYONE,) if peers is None else peers:
            if not isinstance(peer, CidrPeer):
                yield from self.members.numbers(peer)
