# SPDX-License-Identifier: Apache-2.0
"""Rule sets in the maps: filled beside the old version, then put in effect by one write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.errors import MapError, MapFull

from ._rule_rows import pack_rule_set, pack_rule_sets, versions
from ._rule_versions import RuleVersions
from .attachments import Drift
from .rule_slots import RuleSlots
from .runtime import Runtime
from .stored_rules import read_rule_sets

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from axoneme.model.rule_set import RuleSet

    from ._rule_rows import RuleRows
    from .datapath import Datapath
    from .stored_rules import StoredRuleSet
    from .tables import Rows, Table


@define
class PolicyMaps:
    """The maps `policy` and `rule_sets` of a node, and the generation that they belong to.

    What is there when it is opened stays in force until another rule set is installed, so that a
    restart opens and closes nothing: only versions that no slot names go. Not for several threads
    at once.
    """

    _policy: Table
    _rule_sets: Table
    runtime: Runtime
    slots: RuleSlots
    _rows: Rows = field(init=False)
    _set_rows: Rows = field(init=False)
    _versions: RuleVersions = field(factory=RuleVersions, init=False)

    @classmethod
    def open(cls, datapath: Datapath, runtime: Runtime | None = None) -> PolicyMaps:
        """Take over the maps of a datapath that has been committed."""
        rule_sets = datapath.table("rule_sets")
        slots = RuleSlots(rule_sets.max_entries)
        endpoints = [row for _, row in datapath.table("endpoints").read()]
        slots.adopt((row["identity"], row["rule_set"]) for row in endpoints)
        runtime = runtime or Runtime.open(datapath)
        maps = cls(datapath.table("policy"), rule_sets, runtime, slots)
        maps._adopt()
        return maps

    def _adopt(self) -> None:
        self._rows = self._policy.read()
        found = versions(self._rows)
        there = dict(self._rule_sets.read())
        taken = self.slots.taken
        named = {slot: row for slot, row in there.items() if row["active"] and slot in taken}
        made = {
            (version, flags): pack_rule_set(
                self._policy.layout, version, found.get(version, {}), flags
            )
            for version, flags in {(row["active"], row["flags"]) for row in named.values()}
        }
        self._versions.put({s: made[row["active"], row["flags"]] for s, row in named.items()})
        self._versions.last = max([*found, *(row["active"] for row in there.values())], default=0)
        self._set_rows = self._rule_sets.rows(named)
        self._rule_sets.reconcile(self._set_rows)  # closes the slots that nobody has
        for version in found.keys() - self._versions.in_use:
            stale = pack_rule_set(self._policy.layout, version, found[version], 0)
            self._rows.discard(stale.each_key())
        self._policy.push(self._rows)

    # Slots

    def slot(self, identity: int) -> int:
        """The slot of an identity: give it to the identity's endpoints. It begins closed.

        Raises:
            MapFull: there are more identities on this node than slots.
        """
        return self.slots.slot(identity)

    def release(self, identity: int) -> None:
        """Take the rule set of an identity away, once the last of its endpoints is gone."""
        slot = self.slots.release(identity)
        if self._versions.discard(slot):
            self._rule_sets.delete([slot])
            self._set_rows.discard([slot])

    def release_others(self, identities: Collection[int]) -> None:
        """Keep the slots of these identities alone, as when all endpoints are known again."""
        for identity in self.slots.by_identity.keys() - set(identities):
            self.release(identity)

    # Rule sets

    def install(self, slot: int, rule_set: RuleSet) -> bool:
        """Put a rule set in effect for a slot; whether it is another than the one that was.

        Raises:
            MapFull: there is no room for both versions; the old one stays in effect.
            MapError: an entry does not fit.
        """
        return self._install({slot: rule_set})

    def install_all(self, rule_sets: Mapping[int, RuleSet]) -> dict[int, MapError]:
        """Put rule sets in effect for slots; why those that could not be are not.

        All that is new is filled, then put in effect at once, and one generation begins. Where
        there is no room for that, it is done one rule set after the other. Slots whose rule sets
        have the very same entries share a version.
        """
        try:
            self._install(rule_sets)
        except MapError:
            failed: dict[int, MapError] = {}
            for slots in _alike(rule_sets):
                try:
                    self._install({slot: rule_sets[slot] for slot in slots})
                except MapError as error:
                    failed |= dict.fromkeys(slots, error)
            return failed
        return {}

    def _install(self, rule_sets: Mapping[int, RuleSet]) -> bool:
        """Fill new versions whole, let slots name them, and begin the generation.

        In it every flow is asked for again. The old versions go a moment later.
        """
        strange = rule_sets.keys() - self.slots.taken
        if strange:
            raise MapError(f"slot {min(strange)} is nobody's", map="rule_sets")
        holds = self._versions.holds
        changed = {slot: one for slot, one in rule_sets.items() if not holds(slot, one)}
        if changed:
            self._flip(self._fill(changed))
        self.collect()
        return bool(changed)

    def _fill(self, rule_sets: Mapping[int, RuleSet]) -> dict[int, RuleRows]:
        """Write versions that nobody looks up yet, or none; which of them each slot is to have."""
        alike = _alike(rule_sets)
        first = (rule_sets[slots[0]] for slots in alike)
        numbers = self._versions.following()
        wanted = [(next(numbers), one.entries, one.flags) for one in first]
        made = pack_rule_sets(self._policy.layout, wanted)
        keys, values = b"".join(r.keys for r in made), b"".join(r.values for r in made)
        self._rows.put_packed(keys, values)
        try:
            self._push()
        except MapError:
            for rows in made:
                self._rows.discard(rows.each_key())
            self._policy.push(self._rows)
            raise
        self._versions.last = made[-1].version
        return {slot: rows for rows, slots in zip(made, alike, strict=True) for slot in slots}

    def _flip(self, filled: Mapping[int, RuleRows]) -> None:
        """Let slots name their new versions."""
        rows = [(s, {"active": one.version, "flags": one.flags}) for s, one in filled.items()]
        self._rule_sets.write(rows)
        self._set_rows.put(rows)
        if self._versions.put(filled):
            self.runtime.bump()

    def _push(self) -> None:
        try:
            self._policy.push(self._rows)
        except MapFull:
            if not self._versions.waiting:
                raise
            self.collect(everything=True)
            self._policy.push(self._rows)

    def collect(self, *, everything: bool = False) -> int:
        """Remove versions that are out of effect for long enough; the number of their rows."""
        due = self._versions.take_due(everything=everything)
        removed = sum(self._rows.discard(rows.each_key()) for rows in due)
        if removed:
            self._policy.push(self._rows)
        return removed

    def reconcile(self) -> tuple[Drift, ...]:
        """Repair what others changed in the maps, and begin a generation if anything was."""
        self.collect()
        found = [
            Drift(f"map {table.layout.map}", f"not as written: {drift}")
            for table, rows in ((self._policy, self._rows), (self._rule_sets, self._set_rows))
            if (drift := table.reconcile(rows))
        ]
        if found:
            self.runtime.bump()
        return tuple(found)

    # For people

    @property
    def wanted(self) -> Mapping[str, Rows]:
        """What the maps should hold, by their names."""
        return {"policy": self._rows, "rule_sets": self._set_rows}

    def read(self, slot: int) -> StoredRuleSet | None:
        """Read a slot's rule set back from the maps; None if the slot is closed."""
        return read_rule_sets(self._policy, self._rule_sets).get(slot)


def _alike(rule_sets: Mapping[int, RuleSet]) -> list[list[int]]:
    """Slots by what they are to have: those of one list can share a version."""
    found: dict[tuple[int, int], list[int]] = {}
    for slot, one in rule_sets.items():
        found.setdefault((id(one.entries), one.flags), []).append(slot)
    return list(found.values())
