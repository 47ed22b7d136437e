# SPDX-License-Identifier: Apache-2.0
"""Rule sets of a node's endpoints, kept up while policies, identities and endpoints change."""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme.policy._held import Held
from axoneme.policy._members import WatchedMembers
from axoneme.policy._peers import EVERYONE, Networks
from axoneme.policy.compiler import Compiler
from axoneme.policy.numbers import CidrNumbers, RuleNumbers

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping

    from axoneme.model.identity import Identity
    from axoneme.model.labels import Labels
    from axoneme.model.policy import EntityPeer, NamedPort, Network, Policy, SelectorPeer
    from axoneme.model.rule_set import RuleSet


@frozen
class Changes:
    """What `resolve` found to be different since it was last asked.

    So that no packet meets half of it: first take `cidrs_removed` from the map, then install
    `rule_sets`, then add `cidrs`.
    """

    rule_sets: Mapping[int, RuleSet] = field(factory=dict)
    removed: frozenset[int] = frozenset()
    cidrs: Mapping[Network, int] = field(factory=dict)
    cidrs_removed: frozenset[Network] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.rule_sets or self.removed or self.cidrs or self.cidrs_removed)


class Resolver:
    """Knows all policies and identities, and compiles what endpoints of this node need.

    Whatever is put or removed is noted only: `resolve` compiles the rule sets that it touches.
    """

    def __init__(
        self, rule_numbers: RuleNumbers | None = None, cidr_numbers: CidrNumbers | None = None
    ) -> None:
        self.rule_numbers = RuleNumbers() if rule_numbers is None else rule_numbers
        self.cidr_numbers = CidrNumbers() if cidr_numbers is None else cidr_numbers
        self._members = WatchedMembers()
        self._held: dict[Hashable, Held] = {}
        self._users: dict[SelectorPeer | EntityPeer, set[Hashable]] = {}
        self._selected: dict[int, set[Hashable]] = {}
        self._named: Counter[Network] = Counter()
        self._networks = Networks({})
        self._rule_sets: dict[int, RuleSet] = {}
        self._published: dict[Network, int] = {}
        # What an earlier agent left is told anew, and gone if no policy names it any more.
        self._left = self.cidr_numbers.found
        self._touched: set[int] = set()
        self._gone: set[int] = set()
        self._renew()

    def _renew(self) -> None:
        """Forget what policies come to: who or what they name is not what it was."""
        self._compiler = Compiler(self._members, self._networks, self.rule_numbers.number)

    @property
    def rule_sets(self) -> Mapping[int, RuleSet]:
        """The rule set of each identity that has endpoints here, as of the last `resolve`."""
        return MappingProxyType(self._rule_sets)

    @property
    def identities(self) -> Collection[int]:
        """The identities that are known, the reserved ones among them."""
        return self._members.identities.keys()

    def labels(self, number: int) -> Labels | None:
        """The labels of an identity, None if it is not known."""
        identity = self._members.identities.get(number)
        return None if identity is None else identity.labels

    @property
    def subjects(self) -> Collection[int]:
        """The identities that are compiled for."""
        return self._selected.keys()

    def put_policies(self, key: Hashable, policies: Iterable[Policy]) -> None:
        """Take the policies of a manifest in place of those it had before."""
        new = tuple(policies)
        old = self._held.get(key)
        if old is not None and old.policies == new:
            return
        held = Held(new)
        if old is not None and old.subjects == held.subjects:
            numbers = [number for number, keys in self._selected.items() if key in keys]
        else:
            identities = self._members.identities
            numbers = [n for n in self._selected if held.selects(identities[n].labels)]
        self._members.watch(held.peers)  # before, so that who both name is not looked for again
        self.remove_policies(key)
        self._held[key] = held
        for peer in held.peers:
            self._users.setdefault(peer, set()).add(key)
        self._named.update(held.networks)
        for number in numbers:
            self._selected[number].add(key)
            self._touched.add(number)

    def remove_policies(self, key: Hashable) -> None:
        """Forget the policies of a manifest, if it had any."""
        held = self._held.pop(key, None)
        if held is None:
            return
        for peer in held.peers:
            self._users[peer].discard(key)
            if not self._users[peer]:
                del self._users[peer]
        self._compiler.forget(held.policies)
        self._members.unwatch(held.peers)
        self._named.subtract(held.networks)
        self._named += Counter()  # drops what is down to 0
        for number, keys in self._selected.items():
            if key in keys:
                keys.remove(key)
                self._touched.add(number)

    def put_identity(self, identity: Identity, ports: Iterable[NamedPort] = ()) -> None:
        """Take an identity of the cluster, with the named ports of its pods.

        A number never stands for other labels; its ports may change.
        """
        number = identity.number
        if self._members.identities.get(number) != identity:
            self._renew()
            self._touch_users(self._members.put(identity))
        if self._members.put_ports(number, frozenset(ports)):
            self._renew()
            self._touch_users([EVERYONE])
            if number in self._selected:
                self._touched.add(number)

    def remove_identity(self, number: int) -> None:
        """Forget an identity that no pod has any more."""
        self.remove_subject(number)
        self._renew()
        self._touch_users(self._members.remove(number))

    def put_subject(self, number: int) -> None:
        """Compile for an identity from now on: it has an endpoint here. It must be known."""
        if number not in self._selected:
            labels = self._members.identities[number].labels
            self._selected[number] = {key for key, h in self._held.items() if h.selects(labels)}
            self._touched.add(number)
            self._gone.discard(number)

    def remove_subject(self, number: int) -> None:
        """Stop compiling for an identity: its last endpoint here is gone."""
        if self._selected.pop(number, None) is not None:
            self._touched.discard(number)
            if self._rule_sets.pop(number, None) is not None:
                self._gone.add(number)

    def resolve(self) -> Changes:
        """Compile what was touched, and return what is different now."""
        added, removed = self._number_networks()
        compiled = _Compiled(self._compiler)
        changed: dict[int, RuleSet] = {}
        for number in sorted(self._touched):
            ports = self._members.named_ports(number)
            rule_set = compiled.rule_set(self._policies_of(number), ports)
            if compiled.is_other(rule_set, self._rule_sets.get(number)):
                changed[number] = rule_set
        self._rule_sets |= changed
        gone = frozenset(self._gone)
        self._touched.clear()
        self._gone.clear()
        return Changes(changed, gone, added, removed)

    def forget_rules(self) -> None:
        """Free the numbers of rules that no policy has any more."""
        self.rule_numbers.retain(name for held in self._held.values() for name in held.names())

    def _number_networks(self) -> tuple[dict[Network, int], frozenset[Network]]:
        self.cidr_numbers.retain(self._named)
        for network in self._named:
            self.cidr_numbers.number(network)
        numbers = dict(self.cidr_numbers.numbers)
        removed = frozenset((self._published.keys() | self._left) - numbers.keys())
        self._left = frozenset()
        added = {n: number for n, number in numbers.items() if n not in self._published}
        if added or removed:
            self._published = numbers
            self._networks = Networks(numbers)
            self._renew()
            # An address is counted for the longest network alone, so that all must know of it.
            self._touched |= {n for n, rules in self._rule_sets.items() if rules.names_cidrs}
        return added, removed

    def _policies_of(self, number: int) -> list[Policy]:
        """The policies that select an identity."""
        labels = self._members.identities[number].labels
        found: list[Policy] = []
        for key in self._selected[number]:
            policies = self._held[key].policies
            # The only one must be what the manifest was chosen for.
            alone = len(policies) == 1
            found += policies if alone else [p for p in policies if p.subject.matches(labels)]
        return found

    def _touch_users(self, peers: Iterable[SelectorPeer | EntityPeer]) -> None:
        keys = {key for peer in peers for key in self._users.get(peer, ())}
        if keys:
            self._touched |= {n for n, own in self._selected.items() if not own.isdisjoint(keys)}


def _order(policy: Policy) -> tuple[str, str, str]:
    return policy.namespace, policy.name, policy.kind


@frozen
class _Compiled:
    """Rule sets of one `resolve`: identities of the same policies have equal ones, and share."""

    compiler: Compiler
    _rule_sets: dict[tuple[object, ...], RuleSet] = field(factory=dict, init=False)
    _others: dict[tuple[int, int], bool] = field(factory=dict, init=False)

    def rule_set(self, policies: list[Policy], ports: frozenset[NamedPort]) -> RuleSet:
        """Return the rule set of an identity that these policies select."""
        key = (frozenset(map(id, policies)), ports)
        found = self._rule_sets.get(key)
        if found is None:
            found = self.compiler.rule_set(sorted(policies, key=_order), tuple(ports))
            self._rule_sets[key] = found
        return found

    def is_other(self, new: RuleSet, old: RuleSet | None) -> bool:
        """Whether a rule set is another than the one before; each pair is compared once."""
        pair = id(new), id(old)
        if pair not in self._others:
            self._others[pair] = new != old
        return self._others[pair]
