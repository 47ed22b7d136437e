# SPDX-License-Identifier: Apache-2.0
"""Policies in effect on this node: what the resolver compiles goes into the maps, in safe order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.datapath import IpcacheMaps, PolicyMaps, RuleNames, Runtime
from axoneme.errors import MapError
from axoneme.policy import CidrNumbers, Resolver, RuleNumbers

if TYPE_CHECKING:
    from collections.abc import Collection

    from axoneme.datapath import Datapath, Drift

#: Beyond so many the names of rules that no policy has any more are forgotten.
_MANY_RULES = 16384


@define
class NodePolicies:
    """The resolver, and the maps that it is for.

    `problems` are what could not be put in effect when it was last tried: the endpoints that it is
    for keep the rules that they had, and new ones are closed.
    """

    maps: PolicyMaps
    ipcache: IpcacheMaps
    names: RuleNames
    resolver: Resolver
    problems: dict[int, str] = field(factory=dict, init=False)

    @classmethod
    def open(cls, datapath: Datapath) -> NodePolicies:
        """Take over what an earlier agent left in the maps; it stays in force."""
        runtime = Runtime.open(datapath)
        ipcache = IpcacheMaps.open(datapath, runtime)
        names = RuleNames.open(datapath)
        resolver = Resolver(RuleNumbers(names.read()), CidrNumbers(ipcache.cidrs))
        return cls(PolicyMaps.open(datapath, runtime), ipcache, names, resolver)

    def apply(self) -> None:
        """Put what has changed since the last time in effect.

        An address is in the longest network that is named, so that networks which no policy names
        any more go before the rule sets, and new ones come after them.
        """
        changes = self.resolver.resolve()
        self.problems = {n: t for n, t in self.problems.items() if n in self.resolver.rule_sets}
        if not changes and not self.problems:
            return
        numbers = self.resolver.rule_numbers
        if len(numbers.numbers) > _MANY_RULES:
            self.resolver.forget_rules()
        self.names.write(numbers.numbers)
        self.ipcache.remove_cidrs(changes.cidrs_removed)
        self._install({*changes.rule_sets, *self.problems})
        self.ipcache.put_cidrs(changes.cidrs)

    def _install(self, numbers: Collection[int]) -> None:
        failed: dict[int, MapError] = {}
        slots: dict[int, int] = {}
        for number in numbers:
            try:
                slots[self.maps.slot(number)] = number
            except MapError as error:
                failed[number] = error
        wanted = {slot: self.resolver.rule_sets[number] for slot, number in slots.items()}
        failed |= {slots[slot]: error for slot, error in self.maps.install_all(wanted).items()}
        self.problems = {n: f"the policies of identity {n}: {e}" for n, e in failed.items()}

    def slot(self, identity: int) -> int:
        """The slot of an identity whose rule set is in effect, or closed."""
        return self.maps.slot(identity)

    def release(self, identity: int) -> None:
        """Forget the rule set of an identity whose last endpoint here is gone."""
        self.resolver.remove_subject(identity)
        self.maps.release(identity)

    def repair(self) -> list[Drift]:
        """Make the maps hold what they should; what they did not."""
        return [*self.maps.reconcile(), *self.ipcache.reconcile()]
