# SPDX-License-Identifier: Apache-2.0
"""Policies into rule sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import field, frozen

from axoneme.model.policy import Direction
from axoneme.model.rule_set import ANY_PEER, RuleSet
from axoneme.policy._peers import Expansion, Networks, ScannedMembers
from axoneme.policy._rule_table import RuleTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from axoneme.model.identity import Identity
    from axoneme.model.policy import NamedPort, Network, Policy
    from axoneme.model.rule_set import PolicyEntry, PolicyKey
    from axoneme.policy._peers import Members

    #: Entries that are for peers outside the cluster or by identity, and those for both sides of
    #: its border.
    _Plain: TypeAlias = tuple[dict[PolicyKey, PolicyEntry], dict[PolicyKey, PolicyEntry]]


def compile_rule_set(
    identity: Identity,
    policies: Iterable[Policy],
    *,
    identities: Mapping[int, Identity],
    cidr_identities: Mapping[Network, int],
    named_ports: Mapping[int, Iterable[NamedPort]],
    rule_number: Callable[[str], int],
) -> RuleSet:
    """Return the rule set of an identity: policies that do not select it are left out.

    `identities` are all of the cluster (the reserved ones are added), `cidr_identities` all
    networks that any policy names and both whole families, as CidrNumbers has them, `named_ports`
    those of pods by identity. `rule_number` gives a rule's number for its name.
    """
    members = ScannedMembers(identities, named_ports)
    compiler = Compiler(members, Networks(cidr_identities), rule_number)
    selecting = [policy for policy in policies if policy.subject.matches(identity.labels)]
    return compiler.rule_set(selecting, tuple(named_ports.get(identity.number, ())))


@frozen
class Compiler:
    """Compiles rule sets for one state of the cluster: what they have in common is done once."""

    members: Members
    networks: Networks
    rule_number: Callable[[str], int]
    _plain: dict[tuple[Policy, bool], _Plain] = field(factory=dict, init=False)
    _expansions: dict[bool, Expansion] = field(factory=dict, init=False)

    def rule_set(self, policies: Sequence[Policy], own_ports: Sequence[NamedPort]) -> RuleSet:
        """Return the rule set of an identity that all these policies select."""
        entries: dict[PolicyKey, PolicyEntry] = {}
        limits: list[str] = []
        names_cidrs = any(policy.names_cidrs for policy in policies)
        if all(policy.is_plain for policy in policies):
            # Entries that allow do not touch each other: the first policy's win, those of networks
            # that count inside the cluster, too, before those that do not.
            plain = [self._plain_of(policy, names_cidrs=names_cidrs) for policy in policies[::-1]]
            for outside, _ in plain:
                entries.update(outside)
            for _, any_peer in plain:
                entries.update(any_peer)
        else:
            expansion = self._expansion(names_cidrs=names_cidrs)
            for direction in Direction:
                table = self._table(direction, policies, expansion, own_ports)
                entries.update(table.entries())
                limits += table.limits
        denying = {
            direction: tuple(dict.fromkeys(p.title for p in policies if p.default_deny(direction)))
            for direction in Direction
        }
        return RuleSet(
            entries=entries,
            default_deny_ingress=bool(denying[Direction.INGRESS]),
            default_deny_egress=bool(denying[Direction.EGRESS]),
            names_cidrs=names_cidrs,
            ingress_policies=denying[Direction.INGRESS],
            egress_policies=denying[Direction.EGRESS],
            limits=tuple(limits),
        )

    def forget(self, policies: Iterable[Policy]) -> None:
        """Forget what policies allow that are no more."""
        for policy in policies:
            for names_cidrs in (False, True):
                self._plain.pop((policy, names_cidrs), None)

    def _plain_of(self, policy: Policy, *, names_cidrs: bool) -> _Plain:
        """Return what a plain policy allows, whomever it selects."""
        key = policy, names_cidrs
        if key not in self._plain:
            expansion = self._expansion(names_cidrs=names_cidrs)
            plain: _Plain = {}, {}
            for direction in Direction:
                for of, entry in self._table(direction, [policy], expansion, ()).entries():
                    plain[entry.flags == ANY_PEER][of] = entry
            self._plain[key] = plain
        return self._plain[key]

    def _expansion(self, *, names_cidrs: bool) -> Expansion:
        if names_cidrs not in self._expansions:
            made = Expansion(self.members, self.networks, names_cidrs)
            self._expansions[names_cidrs] = made
        return self._expansions[names_cidrs]

    def _table(
        self,
        direction: Direction,
        policies: Sequence[Policy],
        expansion: Expansion,
        own_ports: Sequence[NamedPort],
    ) -> RuleTable:
        table = RuleTable(direction, expansion, own_ports, self.rule_number)
        for policy in policies:
            for rule in policy.rules(direction):
                table.add(rule, str(policy.name_of(rule)))
        return table
