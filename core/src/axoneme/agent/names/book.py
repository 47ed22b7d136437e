# SPDX-License-Identifier: Apache-2.0
"""The names of what rows of events have numbers for, as the node knows them when they are read."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attrs import define, field

from axoneme.model.policy import Direction
from axoneme.observe.book import DENIAL, DEVICE, IDENTITY, PARTY, REASON, RULE

from .names import device_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.model.labels import Labels
    from axoneme.observe.book import Book, KeyReader
    from axoneme.observe.directory import Owner

    from .live import LiveNames


@define
class BookWriter:
    """Looks names up; what is not known has none."""

    names: LiveNames
    keys: KeyReader
    _finders: dict[str, Callable[..., Any]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._finders = {
            PARTY: self._party,
            IDENTITY: self._identity,
            RULE: self._rule,
            REASON: self._reason,
            DEVICE: device_name,
            DENIAL: self._denial,
        }

    def book(self, rows: bytes) -> Book:
        """The names that these rows need."""
        found = {key: self._finders[key[0]](*key[1:]) for key in self.keys.keys(rows)}
        return {key: name for key, name in found.items() if name is not None}

    def _party(self, address: str, identity: int) -> list[Any] | None:
        owner = self.names.directory.owner(bytes.fromhex(address), identity)
        return None if owner is None else _as_json(owner)

    def _identity(self, number: int) -> list[str] | None:
        labels = self.names.labels(number)
        return None if labels is None else _pairs(labels)

    def _rule(self, number: int) -> tuple[str, str] | None:
        name = self.names.rule_name(number)
        return None if name is None else (name.policy, name.rule)

    def _reason(self, number: int) -> tuple[str, str, str]:
        reason = self.names.reason(number)
        return reason.name, reason.text, reason.owner

    def _denial(self, identity: int, direction: int) -> list[str]:
        return list(self.names.restricting(identity, Direction(direction)))


# Batches of rows share what they have in common: there may be many of them.
@lru_cache(maxsize=1 << 14)
def _as_json(owner: Owner) -> list[Any]:
    labels = _pairs(owner.labels)
    return [owner.namespace, owner.name, owner.node, owner.identity, labels, owner.endpoint]


@lru_cache(maxsize=1 << 12)
def _pairs(labels: Labels) -> list[str]:
    return [f"{key}={value}" if value else key for key, value in labels.items()]
