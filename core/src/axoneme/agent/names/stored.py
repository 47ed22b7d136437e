# SPDX-License-Identifier: Apache-2.0
"""Names from the files that the agents of a cluster share, and from a node's pinned maps.

They need no agent: what is in the maps of one that has died is named all the same.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from attrs import define

from axoneme.datapath import RuleNames, unpack_network
from axoneme.model import RESERVED
from axoneme.model.identity import Reserved, cidr_identity
from axoneme.observe import Directory, Owner

from .names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.datapath import PinnedMaps
    from axoneme.model import Address, Labels
    from axoneme.sources import EmbeddedSource


@define
class StoredNames(Names):
    """Each kind of name is read when it is asked for first, and then kept."""

    source: EmbeddedSource
    maps: PinnedMaps

    @cached_property
    def directory(self) -> Directory:
        """See `Names`."""
        made = Directory()
        for one in self.source.read().records:
            owner = Owner(one.name, one.namespace, one.node, one.identity, one.labels, one.id)
            made.put_pod(owner, one.addresses)
        nodes = self.source.nodes.read().records
        made.replace_nodes(
            (Owner(n.name, node=n.name, identity=Reserved.REMOTE_NODE), n.addresses) for n in nodes
        )
        return made

    @cached_property
    def _labels(self) -> Mapping[int, Labels]:
        networks = [(unpack_network(key), n) for key, n in self.maps.table("cidrs").read()]
        found = {n: cidr_identity(n, network) for network, n in networks}
        known = {**RESERVED, **self.source.identities.read().identities, **found}
        return {number: identity.labels for number, identity in known.items()}

    @cached_property
    def _endpoints(self) -> Mapping[int, Owner]:
        rows = self.maps.table("endpoints").read()
        found = {row["id"]: self.directory.present(address) for address, row in rows}
        return {number: owner for number, owner in found.items() if owner is not None}

    @cached_property
    def _rules(self) -> Mapping[int, str]:
        return {number: name for name, number in RuleNames.open(self.maps).read().items()}

    def labels(self, identity: int) -> Labels | None:
        """See `Names`."""
        return self._labels.get(identity)

    def endpoint_of(self, number: int) -> Owner | None:
        """See `Names`."""
        return self._endpoints.get(number)

    def rule_text(self, number: int) -> str | None:
        """See `Names`."""
        return self._rules.get(number)

    def addresses_of(self, pod: str) -> tuple[Address, ...]:
        """The addresses of a pod by its name, with its namespace or without; none if unknown."""
        pods = self.source.read().records
        return tuple(a for one in pods if pod in (str(one), one.name) for a in one.addresses)

    def pods(self) -> list[str]:
        """The names of all pods."""
        return sorted({str(one) for one in self.source.read().records})
