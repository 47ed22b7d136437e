# SPDX-License-Identifier: Apache-2.0
"""Names for the numbers and addresses in maps: from the files that the agents of a cluster share.

They need no agent: what is in the maps of one that has died is named all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme.model.identity import RESERVED, Reserved
from axoneme.model.labels import short_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.model import Address
    from axoneme.model.labels import Labels
    from axoneme.model.node import NodeRecord
    from axoneme.sources import EmbeddedSource, EndpointRecord


@frozen
class Names:
    """Who has which address, and which labels an identity stands for."""

    endpoints: Mapping[Address, EndpointRecord] = field(factory=dict)
    nodes: Mapping[Address, NodeRecord] = field(factory=dict)
    labels: Mapping[int, Labels] = field(factory=dict)

    @classmethod
    def read(cls, source: EmbeddedSource) -> Names:
        """Read them as they are now."""
        return cls(
            {address: one for one in source.read().records for address in one.addresses},
            {address: node for node in source.nodes.read().records for address in node.addresses},
            {n: one.labels for n, one in source.identities.read().identities.items()},
        )

    def of_address(self, address: Address) -> str:
        """The pod or the node that has an address, nothing if neither has."""
        endpoint = self.endpoints.get(address)
        if endpoint is not None:
            return str(endpoint)
        node = self.nodes.get(address)
        return f"node {node}" if node is not None else ""

    def of_identity(self, number: int) -> str:
        """An identity's labels, without those that say nothing, or what a reserved one is."""
        if number in RESERVED:
            return Reserved(number).label
        labels = self.labels.get(number)
        return short_labels(labels) if labels is not None else ""

    def addresses_of(self, pod: str) -> tuple[Address, ...]:
        """The addresses of a pod by its name, with its namespace or without; none if unknown."""
        return tuple(a for a, one in self.endpoints.items() if pod in (str(one), one.name))

    def pods(self) -> list[str]:
        """The names of all pods."""
        return sorted({str(one) for one in self.endpoints.values()})
