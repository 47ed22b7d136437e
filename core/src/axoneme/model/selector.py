# SPDX-License-Identifier: Apache-2.0
"""Selectors: which labels a policy means."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axoneme.model.labels import Labels


class Operator(Enum):
    """How a requirement compares, in the words of a manifest."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


def _values(values: Iterable[str]) -> frozenset[str]:
    return frozenset(values)


@frozen(cache_hash=True, order=False)
class Requirement:
    """What one label must be. A label that is not there is not in any set of values, either."""

    key: str
    operator: Operator
    values: frozenset[str] = field(default=frozenset(), converter=_values)

    def matches(self, labels: Labels) -> bool:
        """Say whether labels are as this requires."""
        value = labels.get(self.key)
        if self.operator is Operator.IN:
            return value in self.values
        if self.operator is Operator.NOT_IN:
            return value not in self.values
        return (value is not None) == (self.operator is Operator.EXISTS)

    def __str__(self) -> str:
        """Return the requirement as kubectl takes it."""
        if self.operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
            return self.key if self.operator is Operator.EXISTS else f"!{self.key}"
        values = sorted(self.values)
        if self.operator is Operator.IN and len(values) == 1:
            return f"{self.key}={values[0]}"
        word = "in" if self.operator is Operator.IN else "notin"
        return f"{self.key} {word} ({','.join(values)})"


def _in_order(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    return tuple(sorted(set(requirements), key=str))


@frozen(cache_hash=True, order=False)
class Selector:
    """Requirements that must all be met: without any, all labels match."""

    requirements: tuple[Requirement, ...] = field(default=(), converter=_in_order)

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Selector:
        """Return the selector of everything that has these labels."""
        return cls(Requirement(key, Operator.IN, [value]) for key, value in labels.items())

    def matches(self, labels: Labels) -> bool:
        """Say whether labels are as every requirement wants."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __and__(self, other: Selector) -> Selector:
        return Selector(self.requirements + other.requirements)

    def __str__(self) -> str:
        """Return the requirements as kubectl takes them."""
        return ",".join(map(str, self.requirements)) or "everything"
