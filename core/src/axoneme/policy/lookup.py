# SPDX-License-Identifier: Apache-2.0
"""The look-up in a rule set that the policy stage does for a packet, in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.model.identity import OUTSIDE
from axoneme.model.rule_set import ANY_PEER, DENY, PolicyKey
from axoneme.policy.masks import probes

if TYPE_CHECKING:
    from axoneme.model.policy import Direction
    from axoneme.model.rule_set import PolicyEntry, RuleSet


def find_entry(
    rule_set: RuleSet, direction: Direction, *, identity: int, cidr: int, proto: int, port: int
) -> PolicyEntry | None:
    """Return the entry that decides about a packet, None if no entry is for it.

    `identity` is the peer's, `cidr` that of the longest network that its address is in, `port`
    the packet's destination port, 0 without ports.
    """
    for mask in probes(proto, port):
        for number in (identity, cidr if rule_set.names_cidrs else 0, 0):
            key = PolicyKey.of(direction, number, mask.proto, mask.port, mask.length)
            entry = rule_set.entries.get(key)
            if entry is None or (number and number == cidr and not _counts(entry, identity)):
                continue
            return entry
    return None


def _counts(entry: PolicyEntry, identity: int) -> bool:
    return identity in OUTSIDE or bool(entry.flags & ANY_PEER)


def is_allowed(rule_set: RuleSet, direction: Direction, entry: PolicyEntry | None) -> bool:
    """Say what becomes of a packet for which `find_entry` found this."""
    if entry is None:
        return not rule_set.default_deny(direction)
    return entry.verdict != DENY
