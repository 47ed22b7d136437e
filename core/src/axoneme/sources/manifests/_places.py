# SPDX-License-Identifier: Apache-2.0
"""Where in a file a policy and each of its rules are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import evolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from axoneme.model.policy import Policy, Rule
    from axoneme.sources.manifests._yaml import Document

#: The steps of a rule's `where`: specs[1].ingress[0].
_STEP = re.compile(r"(\w+)\[(\d+)\]")
_SPECS = "specs["


def placed(
    policies: Iterable[Policy], value: dict[str, Any], document: Document, path: Path
) -> tuple[Policy, ...]:
    """Return the policies of a resource with their places, and those of their rules."""

    def place(part: Any) -> str:
        return f"{path}:{document.line_of(part)}"

    return tuple(
        evolve(
            policy,
            place=place(value),
            ingress=_placed_rules(policy.ingress, value, place),
            egress=_placed_rules(policy.egress, value, place),
        )
        for policy in policies
    )


def _placed_rules(
    rules: Iterable[Rule], value: dict[str, Any], place: Callable[[Any], str]
) -> tuple[Rule, ...]:
    return tuple(evolve(rule, place=place(_part(value, rule.where))) for rule in rules)


def _part(value: dict[str, Any], where: str) -> Any:
    """The mapping in which a rule is written."""
    part: Any = value if where.startswith(_SPECS) else value["spec"]
    for name, index in _STEP.findall(where):
        part = part[name][int(index)]
    return part
