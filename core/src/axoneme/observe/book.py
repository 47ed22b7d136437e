# SPDX-License-Identifier: Apache-2.0
"""The book of names: what the numbers in rows stand for.

A name has a key: what it is of, and the numbers. A book is a dict of them, and all in it is what
JSON has too, since it goes to whoever reads the rows.

    party    address (hex), identity     [namespace, name, node, identity, [label, ...], endpoint]
    identity number                      [label, ...]
    rule     number                      the policy, and which of its rules
    reason   number                      [name, text, owner]
    device   ifindex                     its name
    denial   identity, direction         the policies that select it and let nothing else pass
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from axoneme.model.policy import Direction

if TYPE_CHECKING:
    from axoneme.observe.rows import Columns, RowLayout

PARTY: Final = "party"
IDENTITY: Final = "identity"
RULE: Final = "rule"
REASON: Final = "reason"
DEVICE: Final = "device"
DENIAL: Final = "denial"

DROP: Final = 2
#: The reasons of a policy's no: none allows it, and one denies it.
POLICY_DENIED: Final = 133
POLICY_DENY: Final = 181

Key = tuple[Any, ...]
Book = dict[Key, Any]


@frozen
class KeyReader:
    """Finds which names rows need; each key once, however many rows there are."""

    _columns: Columns

    @classmethod
    def of(cls, layout: RowLayout) -> KeyReader:
        """The reader for rows of a layout."""
        return cls(
            layout.columns(
                "verdict",
                "packet.tuple.saddr",
                "packet.tuple.daddr",
                "packet.src_identity",
                "packet.dst_identity",
                "packet.ifindex",
                "packet.rule",
                "packet.reason",
                "packet.direction",
                "packet.egress_rule",
                "packet.ingress_rule",
            )
        )

    def keys(self, rows: bytes) -> set[Key]:
        """The keys of all names that these rows need."""
        found = set(self._columns.each(rows))
        if not found:
            return set()
        verdict, saddr, daddr, src, dst, device, rule, reason, direction, out, into = zip(
            *found, strict=True
        )
        parties = {*zip(saddr, src, strict=True), *zip(daddr, dst, strict=True)}
        keys: set[Key] = {(PARTY, address.hex(), identity) for address, identity in parties}
        keys |= {(IDENTITY, number) for number in {*src, *dst} if number}
        keys |= {(RULE, number) for number in {*rule, *out, *into} if number}
        keys |= {(DEVICE, number) for number in set(device) if number}
        dropped = set(zip(verdict, reason, rule, direction, src, dst, strict=True))
        for what, why, by, way, source, target in dropped:
            if what == DROP:
                keys.add((REASON, why))
                if why == POLICY_DENIED and not by:
                    keys.add((DENIAL, target if way == Direction.INGRESS else source, way))
        return keys
