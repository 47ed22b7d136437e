# SPDX-License-Identifier: Apache-2.0
"""Addresses of one network: who has which, and which comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.errors import PoolExhausted

if TYPE_CHECKING:
    from axoneme.model import Address
    from axoneme.model.node import Network


@define
class AddressPool:
    """The addresses of a network that pods can have.

    Not among them are the first, which means the network, the second, which is the node's own,
    and the last, to which IPv4 broadcasts. Addresses that nobody has had come first, then the one
    that was given back the longest ago: what others still know of a pod does not meet the next.
    """

    network: Network
    _owners: dict[Address, str] = field(factory=dict, init=False)
    #: Those that were given back, the oldest first; a dict, to take one out of the middle.
    _released: dict[Address, None] = field(factory=dict, init=False)
    #: Where the search began, and how many addresses it has passed.
    _first: int = field(default=0, init=False)
    _looked_at: int = field(default=0, init=False)

    @property
    def node_address(self) -> Address:
        """The address that is the node's own."""
        return self.network[1]

    @property
    def size(self) -> int:
        """How many pods can have an address."""
        return self.network.num_addresses - 3

    @property
    def used(self) -> int:
        """How many of them do."""
        return len(self._owners)

    def holds(self, address: Address) -> bool:
        """Whether an address is one that a pod can have."""
        if address.version != self.network.version:
            return False
        return 2 <= int(address) - int(self.network.network_address) < self.size + 2

    def take(self, owner: str) -> Address:
        """Give an address to an owner.

        Raises:
            PoolExhausted: all are in use.
        """
        address = self._next()
        self._owners[address] = owner
        return address

    def _next(self) -> Address:
        while self._looked_at < self.size:
            address = self.network[2 + (self._first + self._looked_at) % self.size]
            self._looked_at += 1
            if address not in self._owners and address not in self._released:
                return address
        if not self._released:
            raise PoolExhausted(self.shortage(), pool=str(self.network), size=self.size)
        address = next(iter(self._released))
        del self._released[address]
        return address

    def shortage(self) -> str:
        """Return why nobody can have an address, or nothing."""
        if self.used < self.size:
            return ""
        return (
            "every address is in use: remove pods of this node, or give nodes a smaller mask size "
            "and the node a new network"
        )

    def restore(self, address: Address, owner: str) -> str | None:
        """Say that an owner has an address already; who else has it, if anyone does."""
        other = self._owners.setdefault(address, owner)
        if other != owner:
            return other
        self._released.pop(address, None)
        return None

    def skip_restored(self) -> None:
        """Begin behind the highest address in use.

        Nobody knows what was given back before the agent started: so that comes last.
        """
        first = int(self.network.network_address) + 2
        highest = max((int(address) - first for address in self._owners), default=-1)
        self._first = (highest + 1) % self.size

    def release(self, address: Address) -> None:
        """Take an address back; nothing happens if nobody has it."""
        if self._owners.pop(address, None) is not None:
            self._released[address] = None
