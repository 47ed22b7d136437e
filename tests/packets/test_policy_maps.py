# SPDX-License-Identifier: Apache-2.0
"""Rule sets in the maps: filled, put in effect, taken back, repaired and found again."""

from __future__ import annotations

import pytest

from axoneme.datapath import Datapath, PolicyMaps, Runtime
from axoneme.errors import MapError, MapFull
from axoneme.model.policy import Direction
from axoneme.model.rule_set import DENY, PolicyEntry, PolicyKey, RuleSet

ONE, TWO = 1001, 1002


def entries(count: int, rule: int = 16, first: int = 1) -> dict[PolicyKey, PolicyEntry]:
    """Entries for so many ports."""
    ports = range(first, first + count)
    return {PolicyKey.of(Direction.INGRESS, 0, 6, p, 16): PolicyEntry(rule) for p in ports}


SMALL = RuleSet(entries(2), default_deny_ingress=True)
OTHER = RuleSet({PolicyKey.of(Direction.EGRESS, 7): PolicyEntry(17, DENY, 1)}, names_cidrs=True)


@pytest.fixture
def datapath(link) -> Datapath:
    """A datapath without plugins: the maps are core's."""
    return link()


@pytest.fixture
def maps(datapath, node) -> PolicyMaps:
    """Nothing installed yet."""
    return node.call(PolicyMaps.open, datapath)


@pytest.fixture
def call(node):
    """Run a function in the node."""
    return node.call


def endpoint_row(identity: int, slot: int) -> dict[str, object]:
    """What the map of endpoints has for a pod."""
    macs = {"mac": bytes(6), "node_mac": bytes(6)}
    return {"id": 1, "identity": identity, "ifindex": 1, "flags": 0, "rule_set": slot} | macs


def rows(datapath: Datapath) -> int:
    """How many entries the map holds."""
    return len(datapath.table("policy").read())


def test_what_is_installed_is_read_back(maps, call):
    """Entries and flags of each slot are those of its rule set, and of no other."""
    one, two = maps.slot(ONE), maps.slot(TWO)
    assert call(maps.read, one) is None
    assert call(maps.install, one, SMALL)
    assert call(maps.install, two, OTHER)
    for slot, rule_set in ((one, SMALL), (two, OTHER)):
        stored = call(maps.read, slot)
        assert (dict(stored.entries), stored.flags) == (rule_set.entries, rule_set.flags)


def test_an_identity_keeps_its_slot(maps):
    """Slots are numbered from 1, one for each identity."""
    assert [maps.slot(i) for i in (ONE, TWO, ONE)] == [1, 2, 1]


def test_the_same_rule_set_again_is_no_change(maps, call):
    """In whatever order its entries come; the generation stays."""
    slot = maps.slot(ONE)
    call(maps.install, slot, SMALL)
    version, generation = call(maps.read, slot).version, maps.runtime.generation
    turned = RuleSet(dict(reversed(SMALL.entries.items())), default_deny_ingress=True)
    assert not call(maps.install, slot, turned)
    assert call(maps.read, slot).version == version
    assert maps.runtime.generation == generation
    assert call(maps.install, slot, RuleSet(SMALL.entries))  # other flags are a change


def test_a_new_version_has_another_number_and_begins_a_generation(maps, call, datapath):
    """The old one's entries stay for a moment, for packets that are looking them up, then go."""
    slot = maps.slot(ONE)
    call(maps.install, slot, SMALL)
    old, generation = call(maps.read, slot).version, maps.runtime.generation
    assert call(maps.install, slot, OTHER)
    assert call(maps.read, slot).version != old
    assert maps.runtime.generation == generation + 1
    assert call(datapath.table("runtime").get, 0)["generation"] == generation + 1
    assert call(rows, datapath) == len(SMALL.entries) + len(OTHER.entries)
    assert call(maps.collect, everything=True) == len(SMALL.entries)
    assert call(rows, datapath) == len(OTHER.entries)


def test_the_first_rule_set_of_a_slot_begins_no_generation(maps, call):
    """Nothing was granted while the slot was closed: a new pod disturbs no other's flows."""
    generation = maps.runtime.generation
    call(maps.install, maps.slot(ONE), SMALL)
    assert maps.runtime.generation == generation


def test_slots_of_the_very_same_entries_share_a_version(maps, call, datapath):
    """Until one of them gets others; the rows go with the last slot that names them."""
    one, two = maps.slot(ONE), maps.slot(TWO)
    assert call(maps.install_all, {one: SMALL, two: SMALL}) == {}
    assert call(rows, datapath) == len(SMALL.entries)
    assert call(maps.read, one).version == call(maps.read, two).version
    call(maps.install, one, OTHER)
    call(maps.collect, everything=True)
    assert call(maps.read, one).entries == OTHER.entries
    assert call(maps.read, two).entries == SMALL.entries
    call(maps.release, TWO)
    call(maps.collect, everything=True)
    assert call(rows, datapath) == len(OTHER.entries)
    assert call(maps.reconcile) == ()


def test_many_rule_sets_begin_one_generation(maps, call):
    """As one change of policy means; those that stay as they were do not count."""
    slots = [maps.slot(identity) for identity in (ONE, TWO, 1003)]
    call(maps.install_all, dict.fromkeys(slots, SMALL))
    generation = maps.runtime.generation
    before = call(maps.read, slots[2])
    call(maps.install_all, {slots[0]: OTHER, slots[1]: RuleSet(entries(3)), slots[2]: SMALL})
    assert maps.runtime.generation == generation + 1
    assert call(maps.read, slots[1]).entries == entries(3)
    assert call(maps.read, slots[2]) == before


def test_a_slot_of_nobody_takes_no_rule_set(maps, call):
    """Slot 0 stands for no rule set at all."""
    for slot in (0, 5):
        with pytest.raises(MapError, match=f"slot {slot} is nobody's"):
            call(maps.install, slot, SMALL)


def test_an_entry_that_does_not_fit_is_refused_by_name(maps, call):
    """Nothing of its rule set is written."""
    slot = maps.slot(ONE)
    call(maps.install, slot, SMALL)
    before = call(maps.read, slot)
    for entry in (PolicyEntry(-1), PolicyEntry(16, verdict=256)):
        wrong = RuleSet(entries(1) | {PolicyKey.of(Direction.EGRESS, 5): entry})
        with pytest.raises(MapError, match=r"map policy: (rule|verdict) does not fit"):
            call(maps.install, slot, wrong)
    assert call(maps.read, slot) == before
    assert call(maps.reconcile) == ()


def test_a_released_slot_is_closed_and_given_again_last(maps, call, datapath):
    """Its entries go, and another identity gets it when no fresh one is left."""
    slot = maps.slot(ONE)
    call(maps.install, slot, SMALL)
    call(maps.release, ONE)
    assert call(maps.read, slot) is None
    call(maps.collect, everything=True)
    assert call(rows, datapath) == 0
    assert maps.slot(TWO) != slot
    call(maps.release, 77)  # nobody's


def test_only_the_identities_that_are_left_keep_their_slots(maps, call):
    """As when an agent knows all its endpoints again."""
    one, two = maps.slot(ONE), maps.slot(TWO)
    call(maps.install, one, SMALL)
    call(maps.install, two, SMALL)
    call(maps.release_others, [TWO])
    assert call(maps.read, one) is None
    assert call(maps.read, two) is not None


@pytest.fixture
def tight(node):
    """A datapath with room for 100 entries and 3 slots."""
    datapath = node.call(lambda: Datapath.open(node.bpffs, entries={"policy": 100, "rule_sets": 4}))
    node.call(lambda: datapath.commit(datapath.prepare({})))
    yield datapath
    node.call(datapath.remove)


def test_a_full_map_leaves_the_old_version_in_effect(tight, call):
    """The error names the map and its setting; nothing of the new version stays."""
    maps = call(PolicyMaps.open, tight)
    slot = maps.slot(ONE)
    call(maps.install, slot, RuleSet(entries(60)))
    before = call(maps.read, slot)
    with pytest.raises(MapFull, match=r"map policy: all of its 100 entries.*map-entries"):
        call(maps.install, slot, RuleSet(entries(60, rule=17)))
    assert call(maps.read, slot) == before
    assert call(rows, tight) == 60
    assert not call(maps.reconcile)
    assert call(maps.install, slot, RuleSet(entries(30, rule=18)))


def test_what_is_out_of_effect_makes_room_at_once_where_it_must(tight, call):
    """The moment of grace ends early when the map is full."""
    maps = call(PolicyMaps.open, tight)
    slot = maps.slot(ONE)
    for rule in range(16, 22):
        assert call(maps.install, slot, RuleSet(entries(50, rule=rule)))
    assert call(rows, tight) <= 100


def test_where_there_is_no_room_for_all_at_once_one_comes_after_the_other(tight, call):
    """Which needs room for one of them twice; one that is too large is named, and no other."""
    maps = call(PolicyMaps.open, tight)
    slots = [maps.slot(identity) for identity in (1, 2, 3)]
    for rule in (16, 17):
        wanted = {slot: RuleSet(entries(25, rule=rule + 10 * slot)) for slot in slots}
        assert call(maps.install_all, wanted) == {}
        assert all(call(maps.read, s).entries == one.entries for s, one in wanted.items())
    failed = call(maps.install_all, {slots[0]: RuleSet(entries(200)), slots[1]: RuleSet({})})
    assert list(failed) == [slots[0]]
    assert "all of its 100 entries" in str(failed[slots[0]])
    assert call(maps.read, slots[0]).entries == wanted[slots[0]].entries
    assert call(maps.read, slots[1]).entries == {}


def test_more_identities_than_slots_are_refused_by_name(tight, call):
    """With what to raise; one that is released makes room."""
    maps = call(PolicyMaps.open, tight)
    assert [maps.slot(identity) for identity in (1, 2, 3)] == [1, 2, 3]
    with pytest.raises(MapFull, match=r"all 3 slots are taken.*map-entries\.rule-sets"):
        maps.slot(4)
    call(maps.release, 2)
    assert maps.slot(4) == 2


def test_drift_is_repaired_and_named(maps, call, datapath):
    """What others removed, changed or added is as before, and a generation begins."""
    slot = maps.slot(ONE)
    call(maps.install, slot, SMALL)
    before, generation = call(maps.read, slot), maps.runtime.generation
    assert call(maps.reconcile) == ()
    policy, rule_sets = datapath.table("policy"), datapath.table("rule_sets")
    key = {"rule_set": before.version, "identity": 5, "port": 0, "proto": 0, "kind": 0}
    entry = {"rule": 1, "verdict": 0, "flags": 0, "proxy": 0}
    call(policy.write, [(key, entry)])
    call(rule_sets.write, [(slot, {"active": 99, "flags": 0})])
    found = call(maps.reconcile)
    assert [str(d).split(":")[0] for d in found] == ["map policy", "map rule_sets"]
    assert "1 removed" in str(found[0])
    assert "identity=5" in str(found[0])
    assert call(maps.read, slot) == before
    assert maps.runtime.generation == generation + 1
    assert call(maps.reconcile) == ()


def test_all_who_have_the_runtime_count_on(maps, call, datapath):
    """Whoever begins a generation, the next one is another; the seed stays."""
    other, seed = call(Runtime.open, datapath), maps.runtime.seed
    generations = [call(one.bump) for one in (maps.runtime, other, maps.runtime)]
    assert len(set(generations)) == 3
    assert call(lambda: other.generation) == generations[-1]
    assert call(lambda: other.seed) == seed


# Restarts


def test_a_restart_finds_everything_in_force(maps, call, datapath):
    """Slots by the endpoints' rows, versions, the generation: the same rule sets change nothing."""
    slots = maps.slot(ONE), maps.slot(TWO)
    for slot, rule_set in zip(slots, (SMALL, OTHER), strict=True):
        call(maps.install, slot, rule_set)
    call(
        datapath.table("endpoints").write,
        [
            (bytes([n]) * 16, endpoint_row(identity, slot))
            for n, (identity, slot) in enumerate(zip((ONE, TWO), slots, strict=True))
        ],
    )
    before = [call(maps.read, slot) for slot in slots]
    again = call(PolicyMaps.open, datapath)
    assert [again.slot(ONE), again.slot(TWO)] == list(slots)
    assert [call(again.read, slot) for slot in slots] == before
    generation = again.runtime.generation
    assert not call(again.install, slots[0], SMALL)
    assert not call(again.install, slots[1], OTHER)
    assert again.runtime.generation == generation == maps.runtime.generation
    assert again.runtime.seed == maps.runtime.seed
    assert call(again.install, slots[0], OTHER)
    assert call(again.read, slots[0]).version not in [b.version for b in before]
    assert call(again.reconcile) == ()


def test_a_restart_finds_who_shares_a_version(maps, call, datapath):
    """And takes it from one of them only, when that one gets another."""
    slots = maps.slot(ONE), maps.slot(TWO)
    call(maps.install_all, dict.fromkeys(slots, SMALL))
    pairs = zip((ONE, TWO), slots, strict=True)
    call(
        datapath.table("endpoints").write,
        [(bytes([n]) * 16, endpoint_row(*pair)) for n, pair in enumerate(pairs)],
    )
    again = call(PolicyMaps.open, datapath)
    assert not any(call(again.install, slot, SMALL) for slot in slots)
    call(again.install, slots[0], OTHER)
    call(again.collect, everything=True)
    assert call(again.read, slots[1]).entries == SMALL.entries
    assert call(again.reconcile) == ()


def test_a_version_half_filled_when_the_agent_died_goes(maps, call, datapath):
    """What no slot names, and slots that no endpoint has, are removed by the next agent."""
    slot = maps.slot(ONE)
    call(maps.install, slot, SMALL)
    key = {"rule_set": 500, "identity": 5, "port": 0, "proto": 0, "kind": 0}
    call(
        datapath.table("policy").write,
        [(key, {"rule": 1, "verdict": 0, "flags": 0, "proxy": 0})],
    )
    call(datapath.table("endpoints").write, [(bytes(16), endpoint_row(ONE, slot))])
    again = call(PolicyMaps.open, datapath)
    assert call(rows, datapath) == len(SMALL.entries)
    assert call(again.read, slot).entries == SMALL.entries
    call(datapath.table("endpoints").clear)
    again = call(PolicyMaps.open, datapath)
    assert call(rows, datapath) == 0
    assert call(again.read, slot) is None


def test_the_generation_wraps_and_is_never_zero(datapath, call):
    """Zero stands for no verdict at all."""
    runtime = call(Runtime.open, datapath)
    assert runtime.generation >= 1
    assert runtime.seed
    call(Runtime.open(datapath).put, generation=(1 << 24) - 1, seed=5)
    runtime = call(Runtime.open, datapath)
    assert call(runtime.bump) == 1
    assert runtime.seed == 5


def test_ten_thousand_entries_are_installed_fast_enough(maps, call, datapath):
    """And replaced; what is read back is what was given."""
    slot = maps.slot(ONE)
    for rule in (16, 17):
        big = RuleSet(entries(10_000, rule=rule), default_deny_ingress=True)
        assert call(maps.install, slot, big)
        assert call(maps.read, slot).entries == big.entries
    call(maps.collect, everything=True)
    assert call(rows, datapath) == 10_000


def test_flags_say_which_entries_are_not_there(maps, call, datapath):
    """A look-up skips those; an empty rule set needs none at all."""
    slot, table = maps.slot(ONE), datapath.table("rule_sets")
    call(maps.install, slot, RuleSet({}))
    assert call(table.get, slot)["flags"] >> 16 == 0xFFFF
    kinds = [(5, 6, 80, 16), (0, 6, 0x100, 8), (5, 6, 0, 0), (0, 0, 0, 0)]
    keys = [PolicyKey.of(Direction.INGRESS, *kind) for kind in kinds]
    call(maps.install, slot, RuleSet(dict.fromkeys(keys, PolicyEntry(16))))
    assert call(table.get, slot)["flags"] >> 16 == 0b01_10_01_10 << 8 | 0xFF
