# SPDX-License-Identifier: Apache-2.0
"""A map made to hold certain keys, whose values are the programs' own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axoneme import MapError, MapFull

KEYS = st.sets(st.integers(0, 40))


@settings(max_examples=50, deadline=None)
@given(found=st.dictionaries(st.integers(0, 40), st.integers(0, 3)), desired=KEYS)
def test_values_of_keys_that_stay_are_not_touched(new_table, found, desired):
    """New keys have zero, others keep what was counted; a second time finds nothing."""
    with new_table("hash", "plain", 64) as table:
        table.write(found)
        drift = table.reconcile_keys(desired)
        assert dict(table.read()) == {key: found.get(key, 0) for key in desired}
        assert drift.added == len(desired - found.keys())
        assert drift.removed == len(found.keys() - desired)
        assert not table.reconcile_keys(desired)


def test_a_value_that_differs_is_no_drift(make_table):
    """Only keys that came and went are told."""
    table = make_table("hash", "plain")
    table.write({1: 1, 2: 2})
    drift = table.reconcile_keys([2, 4])
    assert str(drift) == "1 added, 0 changed, 1 removed (added 4; removed 1)"


def test_keys_come_as_objects_dicts_or_bytes(flows, flow):
    """As everywhere: what has the key's fields is a key."""
    flows.reconcile_keys([flow(80, bytes(4)), {"port": 81, "addr": bytes(4)}, b"\0\x52" + bytes(6)])
    assert sorted(key["port"] for key, _ in flows.read()) == [80, 81, 82]


def test_a_map_per_cpu_keeps_its_counters(make_table):
    """Counters of each CPU stay, and new keys have zeros on all of them."""
    table = make_table("percpu_hash", "counts")
    table.write({1: {"packets": 5, "reason": 2}})
    table.reconcile_keys([1, 2])
    assert {key: value["packets"] for key, value in table.read(summed=True)} == {1: 5, 2: 0}


def test_a_key_that_does_not_fit_changes_nothing(make_table):
    """It is named, before the first row is written."""
    table = make_table("hash", "plain")
    table.write({1: 1})
    with pytest.raises(MapError, match=r"row 1: .*4294967296 does not fit in 4 bytes"):
        table.reconcile_keys([2, 1 << 32])
    assert dict(table.read()) == {1: 1}


def test_more_keys_than_entries_are_refused(make_table):
    """With the map's name and size."""
    with pytest.raises(MapFull, match="all of its 4 entries are in use"):
        make_table("hash", "plain", 4).reconcile_keys(range(5))
