# SPDX-License-Identifier: Apache-2.0
"""What the operator says of pools, with the words for where each mode's pools are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from axoneme.model import Network, PoolState

_NAMED = 5


@frozen
class Naming:
    """`assigned` is what an assignment calls a pool; `key` and `mask` are where it is written."""

    assigned: Callable[[str], str]
    key: Callable[[str, int], str]
    mask: Callable[[str, int], str]

    def overlap(self, first: str, theirs: Network, second: str, network: Network) -> str:
        """Two pools have addresses in common."""
        return (
            f"pools {first} and {second} overlap, in {theirs} and {network}: {second} gives "
            f"nothing until that is changed in {self.key(second, network.version)}"
        )

    def unparted(self, pool: str, version: int, network: Network, mask_size: int) -> str:
        """A network is narrower than its parts, or has no parts of that mask."""
        return (
            f"pool {pool}: {network} has no parts of /{mask_size}, and gives nothing: write "
            f"{network.prefixlen} to {network.max_prefixlen} as {self.mask(pool, version)}"
        )

    def inside(self, pool: str, version: int, network: Network) -> str:
        """A network of a pool is within another of it."""
        return (
            f"pool {pool}: {network} is within another of its networks, and counts once: remove it "
            f"from {self.key(pool, version)}"
        )

    def unknown(self, pool: str, version: int, names: Collection[str]) -> str:
        """A node needs addresses of what is not there."""
        if pool in names:
            return (
                f"pool {pool} has no IPv{version} networks: add some to {self.key(pool, version)}"
            )
        near = nearest(pool, names)
        hint = f"; did you mean {near!r}?" if near else ""
        return f"there is no pool {pool} to take IPv{version} addresses of{hint}"

    def exhausted(self, state: PoolState) -> str:
        """A node gets nothing more of a pool."""
        all_of_it = f"all {state.parts} are given" if state.parts else "none can be given"
        return (
            f"pool {state.pool} has no IPv{state.version} network for this node: {all_of_it}: add "
            f"networks to {self.key(state.pool, state.version)}, or remove nodes that are gone"
        )

    def short(self, state: PoolState, nodes: Iterable[str]) -> str:
        """Nodes get nothing more of a pool, for whoever has the cluster."""
        all_of_it = f"all {state.parts} are given" if state.parts else "it has none"
        return (
            f"pool {state.pool} has no IPv{state.version} networks for {listed(nodes)}: "
            f"{all_of_it}: add networks to {self.key(state.pool, state.version)}, or remove nodes "
            "that are gone"
        )

    def nearly_dry(self, state: PoolState) -> str:
        """A pool will soon have nothing."""
        return (
            f"pool {state.pool} has {state.free} of {state.parts} IPv{state.version} networks for "
            f"nodes left: add networks to {self.key(state.pool, state.version)}"
        )

    def stray(self, pool: str, version: int, *, exists: bool) -> str:
        """Why a pool would not give what a node has: "which ..."."""
        lacks = "does not have it any more" if exists else "is not there any more"
        return f"{lacks} (put it back into {self.key(pool, version)}, or drain the node)"


def listed(names: Iterable[str]) -> str:
    """Some names, and how many there are besides."""
    found = list(names)
    more = len(found) - _NAMED
    if more > 1:
        return f"{', '.join(found[:_NAMED])} and {more} more"
    return ", ".join(found)
