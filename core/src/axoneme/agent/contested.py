# SPDX-License-Identifier: Apache-2.0
"""Networks that another node claims as well: no address of them is given twice.

Of two nodes the one that was made first goes on giving, but for what pods of others have. The
other one, which is left out by all until its resource is mended, gives no address of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.model import Address, Network, NodeRecord
    from axoneme.sources import EndpointRecord, NodesRead


@frozen
class Contested:
    """What others claim of a node's networks, and whether the node goes on giving there."""

    networks: tuple[Network, ...] = ()
    goes_on: bool = True

    @classmethod
    def of(cls, own: NodeRecord, read: NodesRead) -> Contested:
        """What is contested of a node, by all nodes' resources."""
        goes_on = read.get(own.name) is not None
        # Nodes that are read overlap no other: ours is among them, or one of them has its network.
        others = read.taken if goes_on else (n for r in read.records for n in r.networks)
        found = (n for n in others if any(n.overlaps(mine) for mine in own.networks))
        return cls(tuple(found), goes_on)

    def withheld(self, networks: Iterable[Network]) -> set[Network]:
        """Those of the node's networks of which it gives nothing."""
        if self.goes_on:
            return set()
        return {n for n in networks if any(n.overlaps(other) for other in self.networks)}

    def held(
        self, name: str, endpoints: Iterable[EndpointRecord]
    ) -> dict[str, tuple[Address, ...]]:
        """The addresses there that pods of other nodes have, by namespace/name."""
        if not self.networks:
            return {}
        found = {
            str(one): tuple(a for a in one.addresses if any(a in n for n in self.networks))
            for one in endpoints
            if one.node != name
        }
        return {pod: addresses for pod, addresses in found.items() if addresses}
