# SPDX-License-Identifier: Apache-2.0
"""Rule sets read back from the maps: what holds now, whoever wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from ._rule_rows import MEANING, versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.model.rule_set import PolicyEntry, PolicyKey

    from .tables import Table


@frozen
class StoredRuleSet:
    """What the maps hold for a slot: read back, not remembered."""

    slot: int
    version: int
    flags: int
    entries: Mapping[PolicyKey, PolicyEntry]


def read_rule_sets(policy: Table, rule_sets: Table) -> dict[int, StoredRuleSet]:
    """The rule set of each slot that is not closed."""
    rows = {slot: row for slot, row in rule_sets.read() if row["active"]}
    entries = versions(policy.read())
    return {
        slot: StoredRuleSet(
            slot, row["active"], row["flags"] & MEANING, entries.get(row["active"], {})
        )
        for slot, row in sorted(rows.items())
    }
