# SPDX-License-Identifier: Apache-2.0
"""The addresses that a node gives to its pods: one of each of its networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.errors import PoolExhausted
from axoneme.ipam.pool import AddressPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axoneme.model import Address
    from axoneme.model.node import Network


class NodeAddresses:
    """The pools of a node, IPv4 first. An owner has one address of each, or none."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self.pools = tuple(
            AddressPool(network) for network in sorted(networks, key=lambda n: n.version)
        )
        self._owners: dict[str, tuple[Address, ...]] = {}

    @property
    def owners(self) -> Mapping[str, tuple[Address, ...]]:
        """Who has which addresses."""
        return self._owners

    @property
    def node_addresses(self) -> tuple[Address, ...]:
        """The node's own address in each network."""
        return tuple(pool.node_address for pool in self.pools)

    def allocate(self, owner: str) -> tuple[Address, ...]:
        """Return an owner's addresses, the same ones when asked again.

        Raises:
            PoolExhausted: a pool has none left; nothing is taken from the others.
        """
        known = self._owners.get(owner)
        if known is not None:
            return known
        taken: list[tuple[AddressPool, Address]] = []
        try:
            for pool in self.pools:
                taken.append((pool, pool.take(owner)))  # noqa: PERF401 - undone when one fails
        except PoolExhausted:
            for pool, address in taken:
                pool.release(address)
            raise
        self._owners[owner] = tuple(address for _, address in taken)
        return self._owners[owner]

    def release(self, owner: str) -> None:
        """Take back an owner's addresses; nothing happens if it has none."""
        for address in self._owners.pop(owner, ()):
            for pool in self.pools:
                pool.release(address)

    def restore(self, owners: Mapping[str, Iterable[Address]]) -> list[str]:
        """Say who had which addresses before the agent started; what is wrong with it.

        Of two owners of an address the first keeps it. An address that is of no network of the
        node is its owner's, and nobody gets it after that.
        """
        problems = []
        for owner, addresses in owners.items():
            kept = []
            for address in addresses:
                problem, keep = self._restore(owner, address)
                problems += [problem] if problem else []
                kept += [address] if keep else []
            self._owners[owner] = tuple(kept)
        for pool in self.pools:
            pool.skip_restored()
        return problems

    def _restore(self, owner: str, address: Address) -> tuple[str, bool]:
        pool = next((pool for pool in self.pools if pool.holds(address)), None)
        if pool is None and not self.pools:
            return "", True  # a node that gives no addresses: others do
        if pool is None:
            return f"{owner} has {address}, which is of no network of this node", True
        other = pool.restore(address, owner)
        return (f"{owner} and {other} both have {address}", False) if other else ("", True)

    def problem(self) -> str:
        """Return why no address can be had, or nothing."""
        if not self.pools:
            return "this node has no network for its pods"
        return "; ".join(f"pool {p.network}: {p.shortage()}" for p in self.pools if p.shortage())
