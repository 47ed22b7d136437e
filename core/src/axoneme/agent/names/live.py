# SPDX-License-Identifier: Apache-2.0
"""Names as the agent of a node knows them now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.model.identity import Reserved

from .names import Names

if TYPE_CHECKING:
    from axoneme.agent.cluster import Cluster
    from axoneme.datapath.reasons import Reason
    from axoneme.model import Direction, Endpoint, Labels
    from axoneme.observe import Directory


@frozen
class LiveNames(Names):
    """What the cluster calls things, and what the node's programs decide by."""

    cluster: Cluster

    @property
    def directory(self) -> Directory:
        """See `Names`."""
        return self.cluster.addresses.directory

    def labels(self, identity: int) -> Labels | None:
        """See `Names`."""
        return self.cluster.policies.resolver.labels(identity)

    def endpoint_of(self, number: int) -> Endpoint | None:
        """See `Names`."""
        return self.cluster.engine.datapath.endpoints.get(number)

    def rule_text(self, number: int) -> str | None:
        """See `Names`."""
        return self.cluster.policies.resolver.rule_numbers.name(number)

    def reason(self, number: int) -> Reason:
        """Why a packet was dropped."""
        return self.cluster.engine.datapath.reasons.get(number)

    def restricting(self, identity: int, direction: Direction) -> tuple[str, ...]:
        """The policies that let nothing of an identity pass but what their rules allow."""
        rule_set = self.cluster.policies.resolver.rule_sets.get(identity or Reserved.INIT)
        return () if rule_set is None else rule_set.selected_by(direction)
