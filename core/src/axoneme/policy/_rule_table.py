# SPDX-License-Identifier: Apache-2.0
"""The rules of one direction, by port and peer, and the entries in which the first hit is right.

A look-up probes masks of ports from the narrowest, and for each the peer's identity, then its
network, then anyone. So a denial for more ports or for anyone would be found too late: it is
written over every narrower entry that allows, and beside each that is for more peers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field

from axoneme.model.identity import FIRST_OF_CIDRS
from axoneme.model.policy import Direction
from axoneme.model.rule_set import ANY_PEER, DENY, PolicyEntry, PolicyKey
from axoneme.policy._peers import ANYONE, INSIDE
from axoneme.policy.masks import ANYTHING, Mask, range_masks, wider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from axoneme.model.policy import NamedPort, Ports, Rule
    from axoneme.policy._peers import Expansion

#: Rules by peer, for each mask, and the entries that come of them.
_Table: TypeAlias = "dict[Mask, dict[int, int]]"
_Row: TypeAlias = "dict[int, PolicyEntry]"


@define
class RuleTable:
    """Collects the rules of one direction, then settles which of them an entry is for."""

    direction: Direction
    expansion: Expansion
    own_ports: Sequence[NamedPort]
    rule_number: Callable[[str], int]
    limits: list[str] = field(factory=list)
    _allowed: _Table = field(factory=dict)
    _denied: _Table = field(factory=dict)
    _names: dict[int, str] = field(factory=dict)

    def add(self, rule: Rule, name: str) -> None:
        """Note a rule; of several that say the same, the first one is named."""
        number = self.rule_number(name)
        self._names[number] = name
        table = self._denied if rule.deny else self._allowed
        peers = self.expansion.numbers(rule.peers)
        for ports in (None,) if rule.ports is None else rule.ports:
            if ports is not None and ports.name:
                self._add_named(table, rule, ports, number)
            else:
                _note(table, _masks(ports), peers, number)

    def _add_named(self, table: _Table, rule: Rule, ports: Ports, number: int) -> None:
        if self.direction is Direction.INGRESS:
            masks = _named(self.own_ports, ports)
            _note(table, masks, self.expansion.numbers(rule.peers), number)
            return
        for peer in self.expansion.pods(rule.peers):
            named = self.expansion.members.named_ports(peer)
            _note(table, _named(named, ports), (peer,), number)

    def entries(self) -> Iterator[tuple[PolicyKey, PolicyEntry]]:
        """Yield the entries of the direction."""
        for mask, row in self._rows():
            kind = PolicyKey.of(self.direction, ANYONE, mask.proto, mask.port, mask.length).kind
            for peer, entry in row.items():
                if peer & INSIDE:
                    continue
                inside = row.get(peer | INSIDE)
                joined = entry if inside is None else self._joined(inside, entry)
                yield PolicyKey(peer, mask.port, mask.proto, kind), joined

    def _joined(self, inside: PolicyEntry, outside: PolicyEntry) -> PolicyEntry:
        """Return the one entry for a network's addresses on both sides of the cluster's border."""
        if inside.verdict == outside.verdict:
            return PolicyEntry(inside.rule, inside.verdict, ANY_PEER, inside.proxy)
        allowing, denying = self._names[inside.rule], self._names[outside.rule]
        sentence = (
            f"{allowing} allows no peer inside the cluster of a network that {denying} denies"
        )
        if sentence not in self.limits:
            self.limits.append(sentence)
        return outside

    def _rows(self) -> Iterator[tuple[Mask, _Row]]:
        allow = {rule: PolicyEntry(rule) for rule in self._names}
        for mask, peers in self._allowed.items():
            row = {peer: allow[rule] for peer, rule in peers.items()}
            yield mask, row | self._denials(mask, peers) if self._denied else row
        for mask in self._denied.keys() - self._allowed.keys():
            yield mask, _deny(self._denied[mask])

    def _denials(self, mask: Mask, allowed: dict[int, int]) -> _Row:
        """Return the entries of a mask that deny, given the rules that allow there."""
        rows = [self._denied[wide] for wide in wider(mask) if wide in self._denied]
        found = dict(self._denied.get(mask, ()))
        for peer in {*allowed, *_hidden(allowed, rows)}:
            rule = _first(rows, peer)
            if rule is not None:
                found[peer] = rule
        return _deny(found)


def _deny(rules: dict[int, int]) -> _Row:
    return {peer: PolicyEntry(rule, DENY) for peer, rule in rules.items()}


def _note(table: _Table, masks: Iterable[Mask], peers: Iterable[int], rule: int) -> None:
    for mask in masks:
        row = table.setdefault(mask, {})
        for peer in peers:
            row.setdefault(peer, rule)


def _masks(ports: Ports | None) -> tuple[Mask, ...]:
    return (ANYTHING,) if ports is None else range_masks(ports.proto, ports.first, ports.last)


def _named(known: Iterable[NamedPort], wanted: Ports) -> list[Mask]:
    return [
        Mask(port.proto, port.port, 16)
        for port in known
        if (port.name, port.proto) == (wanted.name, wanted.proto)
    ]


def _first(denials: Iterable[dict[int, int]], peer: int) -> int | None:
    """Return the rule that denies a peer, the narrowest first."""
    for rules in denials:
        rule = rules.get(peer, rules.get(ANYONE))
        if rule is not None:
            return rule
    return None


def _hidden(allowed: dict[int, int], denials: Iterable[dict[int, int]]) -> set[int]:
    """Return peers that are denied, but found first in an entry that allows more than them."""
    for_all = ANYONE in allowed
    if not for_all and not any(peer & INSIDE for peer in allowed):
        return set()
    return {
        peer
        for rules in denials
        for peer in rules
        if peer not in allowed and (for_all or not _is_network(peer))
    }


def _is_network(number: int) -> bool:
    return number >= FIRST_OF_CIDRS
