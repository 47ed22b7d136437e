# SPDX-License-Identifier: Apache-2.0
"""The names of what rows of events have numbers for, as the node knows them now."""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attrs import define, field

from axoneme.model.identity import Reserved
from axoneme.model.policy import Direction
from axoneme.observe.names import DENIAL, DEVICE, IDENTITY, PARTY, REASON, RULE

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.agent.cluster import Cluster
    from axoneme.model.labels import Labels
    from axoneme.observe.directory import Owner
    from axoneme.observe.names import KeyReader, Names


@define
class Naming:
    """Looks names up; what is not known has none."""

    cluster: Cluster
    keys: KeyReader
    _finders: dict[str, Callable[..., Any]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._finders = {
            PARTY: self._party,
            IDENTITY: self._identity,
            RULE: self._rule,
            REASON: self._reason,
            DEVICE: self._device,
            DENIAL: self._denial,
        }

    def names(self, rows: bytes) -> Names:
        """The names that these rows need."""
        found = {key: self._finders[key[0]](*key[1:]) for key in self.keys.keys(rows)}
        return {key: name for key, name in found.items() if name is not None}

    def _party(self, address: str, identity: int) -> list[Any] | None:
        owner = self.cluster.addresses.directory.owner(bytes.fromhex(address), identity)
        return None if owner is None else _as_json(owner)

    def _identity(self, number: int) -> list[str] | None:
        labels = self.cluster.policies.resolver.labels(number)
        return None if labels is None else _pairs(labels)

    def _rule(self, number: int) -> tuple[str, str] | None:
        name = self.cluster.policies.resolver.rule_numbers.name(number)
        if name is None:
            return None
        policy, _, rule = name.rpartition(" ")
        return policy, rule

    def _reason(self, number: int) -> tuple[str, str, str] | None:
        reason = self.cluster.engine.datapath.reasons.all().get(number)
        return None if reason is None else (reason.name, reason.text, reason.owner)

    def _device(self, index: int) -> str | None:
        try:
            return socket.if_indextoname(index)
        except OSError:
            return None

    def _denial(self, identity: int, direction: int) -> list[str] | None:
        rule_set = self.cluster.policies.resolver.rule_sets.get(identity or Reserved.INIT)
        return None if rule_set is None else list(rule_set.selected_by(Direction(direction)))


# Batches of rows share what they have in common: there may be many of them.
@lru_cache(maxsize=1 << 14)
def _as_json(owner: Owner) -> list[Any]:
    labels = _pairs(owner.labels)
    return [owner.namespace, owner.name, owner.node, owner.identity, labels, owner.endpoint]


@lru_cache(maxsize=1 << 12)
def _pairs(labels: Labels) -> list[str]:
    return [f"{key}={value}" if value else key for key, value in labels.items()]
