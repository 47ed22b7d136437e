# SPDX-License-Identifier: Apache-2.0
"""Rule sets in the maps: filled beside the old version, then put in effect by one write."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme.errors import MapError, MapFull

from ._rule_rows import MEANING, pack_rule_set, versions
from .attachments import Drift
from .rule_slots import NO_SLOT, RuleSlots
from .runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from axoneme.model.rule_set import PolicyEntry, PolicyKey, RuleSet

    from ._rule_rows import RuleRows
    from .datapath import Datapath
    from .tables import Rows, Table

_VERSIONS = 1 << 32
#: Seconds for which a version that is no more in effect stays: a packet may be looking it up.
_GRACE = 0.1


@frozen
class StoredRuleSet:
    """What the maps hold for a slot: read back, not remembered."""

    slot: int
    version: int
    flags: int
    entries: Mapping[PolicyKey, PolicyEntry]


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
    _installed: dict[int, RuleRows] = field(factory=dict, init=False)
    _retired: list[tuple[float, RuleRows]] = field(factory=list, init=False)
    _last: int = field(default=0, init=False)

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
        self._set_rows = self._rule_sets.rows()
        self._last = max(found, default=0)
        taken = self.slots.taken
        for slot, row in self._rule_sets.read():
            version, flags = row["active"], row["flags"]
            self._last = max(self._last, version)
            if version and slot in taken:
                entries = found.pop(version, {})
                made = pack_rule_set(self._policy.layout, version, entries, flags)
                self._installed[slot] = made
                self._set_rows.put([(slot, row)])
        self._rule_sets.reconcile(self._set_rows)  # closes the slots that nobody has
        for version, entries in found.items():
            stale = pack_rule_set(self._policy.layout, version, entries, 0)
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
        installed = self._installed.pop(slot, None)
        if installed is not None:
            self._rule_sets.delete([slot])
            self._set_rows.discard([slot])
            self._retire(installed)

    def release_others(self, identities: Collection[int]) -> None:
        """Keep the slots of these identities alone, as when all endpoints are known again."""
        for identity in self.slots.by_identity.keys() - set(identities):
            self.release(identity)

    # Rule sets

    def install(self, slot: int, rule_set: RuleSet) -> bool:
        """Put a rule set in effect for a slot; whether it is another than the one that was.

        The new version is filled whole, then the slot names it, then the generation begins in which
        every flow is asked for again. The old version goes a moment later.

        Raises:
            MapFull: there is no room for both versions; the old one stays in effect.
            MapError: an entry does not fit.
        """
        if slot == NO_SLOT or slot not in self.slots.taken:
            raise MapError(f"slot {slot} is nobody's", map="rule_sets")
        self.collect()
        old, entries, flags = self._installed.get(slot), rule_set.entries, rule_set.flags
        if old is not None and old.holds(entries, flags):
            return False
        made = pack_rule_set(self._policy.layout, self._next_version(), entries, flags)
        self._fill(made)
        row = (slot, {"active": made.version, "flags": made.flags})
        self._rule_sets.write([row])
        self._set_rows.put([row])
        self._installed[slot] = made
        self._last = made.version
        if old is not None:
            self.runtime.bump()
            self._retire(old)
        return True

    def _fill(self, made: RuleRows) -> None:
        """Write a version that nobody looks up yet, or none of it."""
        self._rows.put_packed(made.keys, made.values)
        try:
            self._push()
        except MapError:
            self._rows.discard(made.each_key())
            self._policy.push(self._rows)
            raise

    def _push(self) -> None:
        try:
            self._policy.push(self._rows)
        except MapFull:
            if not self._retired:
                raise
            self.collect(everything=True)
            self._policy.push(self._rows)

    def _next_version(self) -> int:
        """A number that no rule set has, nor had lately."""
        used = {rows.version for rows in self._installed.values()}
        used |= {rows.version for _, rows in self._retired}
        version = self._last
        while True:
            version = (version + 1) % _VERSIONS
            if version and version not in used:
                return version

    def _retire(self, old: RuleRows) -> None:
        self._retired.append((time.monotonic() + _GRACE, old))

    def collect(self, *, everything: bool = False) -> int:
        """Remove versions that are out of effect for long enough; the number of their rows."""
        now = time.monotonic()
        due = [rows for until, rows in self._retired if everything or until <= now]
        self._retired = [(u, rows) for u, rows in self._retired if not everything and u > now]
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

    def read(self, slot: int) -> StoredRuleSet | None:
        """Read a slot's rule set back from the maps; None if the slot is closed."""
        row = self._rule_sets.get(slot)
        if row is None or not row["active"]:
            return None
        entries = versions(self._policy.read()).get(row["active"], {})
        return StoredRuleSet(slot, row["active"], row["flags"] & MEANING, entries)
