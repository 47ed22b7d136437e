# SPDX-License-Identifier: Apache-2.0
"""A map made to hold what is desired, by writing the difference only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axoneme import MapError, MapFull
from axoneme.datapath.tables import Drift

MODELS = st.dictionaries(st.integers(0, 40), st.integers(0, 3), max_size=40)


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(["hash", "sparse"]), found=MODELS, desired=MODELS)
def test_a_reconcile_makes_the_map_what_is_desired(new_table, kind, found, desired):
    """What differs is counted and repaired; a second one finds nothing."""
    with new_table(kind, "plain", 64) as table:
        table.write(found)
        drift = table.reconcile(table.rows(desired))
        assert drift.added == len(desired.keys() - found.keys())
        assert drift.removed == len(found.keys() - desired.keys())
        same = desired.keys() & found.keys()
        assert drift.changed == sum(desired[key] != found[key] for key in same)
        assert dict(table.read()) == desired
        assert not table.reconcile(table.rows(desired))


@settings(max_examples=50, deadline=None)
@given(
    found=st.dictionaries(st.integers(0, 7), st.integers(0, 3)),
    desired=st.dictionaries(st.integers(0, 7), st.integers(0, 3)),
)
def test_in_an_array_zero_is_absent(new_table, found, desired):
    """Rows that are not desired become zero."""
    with new_table("array", "plain", 8) as table:
        table.write(found)
        table.reconcile(table.rows(desired))
        assert dict(table.read()) == dict.fromkeys(range(8), 0) | desired
        assert not table.reconcile(table.rows(desired))


def test_a_check_writes_nothing(make_table):
    """A dry reconcile only tells."""
    table = make_table("hash", "plain")
    table.write({1: 1, 2: 2})
    drift = table.reconcile(table.rows({2: 3, 4: 4}), dry=True)
    assert (drift.added, drift.changed, drift.removed) == (1, 1, 1)
    assert dict(table.read()) == {1: 1, 2: 2}


def test_drift_names_keys(make_table):
    """Who repairs a map by hand sees which rows were meant."""
    table = make_table("hash", "plain")
    table.write({1: 1, 2: 2})
    drift = table.reconcile(table.rows({2: 3, 4: 4}))
    assert str(drift) == "1 added, 1 changed, 1 removed (added 4; changed 2; removed 1)"
    assert ("changed", 2) in drift.examples


def test_no_drift_is_false():
    """A reconciler that found nothing has nothing to report."""
    assert not Drift()
    assert Drift(removed=1)
    assert str(Drift()) == "0 added, 0 changed, 0 removed"


def test_a_full_map_is_changed_to_other_rows(make_table):
    """What goes is removed before what is new needs its room."""
    table = make_table("hash", "plain", 64)
    table.write(dict.fromkeys(range(64), 1))
    desired = dict.fromkeys(range(64, 128), 2)
    drift = table.reconcile(table.rows(desired))
    assert (drift.added, drift.removed) == (64, 64)
    assert dict(table.read()) == desired


def test_more_rows_than_entries_are_refused(make_table):
    """The map is full, and the rows stay pending."""
    table = make_table("hash", "plain", 64)
    rows = table.rows(dict.fromkeys(range(65), 1))
    with pytest.raises(MapFull, match="all of its 64 entries"):
        table.reconcile(rows)
    assert rows.pending == 65


def test_a_per_cpu_map_is_not_reconciled(make_table):
    """It counts; nothing is desired of it."""
    table = make_table("percpu_hash", "counts")
    with pytest.raises(MapError, match="is per CPU"):
        table.reconcile(table.rows())


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("put"), MODELS),
            st.tuples(st.just("discard"), st.lists(st.integers(0, 40))),
            st.tuples(st.just("push"), st.none()),
        ),
        max_size=12,
    )
)
def test_a_push_carries_all_that_changed(new_table, steps):
    """Whatever was put, discarded and put again, the map follows."""
    with new_table("hash", "plain", 64) as table:
        rows = table.rows()
        for what, argument in [*steps, ("push", None)]:
            if what == "put":
                rows.put(argument)
            elif what == "discard":
                rows.discard(argument)
            else:
                table.push(rows)
                assert table.read() == rows
                assert rows.pending == 0


def test_a_push_writes_only_what_changed(make_table):
    """Rows that somebody else changed in the map are not looked at."""
    table = make_table("hash", "plain")
    rows = table.rows({1: 1, 2: 2})
    assert table.push(rows) == 2
    table.write({1: 7})
    rows.put({1: 1, 2: 3})
    assert table.push(rows) == 1
    assert dict(table.read()) == {1: 7, 2: 3}


def test_a_push_that_fails_is_done_again(make_table):
    """What did not land is still pending, and lands when there is room."""
    table = make_table("hash", "plain", 64)
    table.write(dict.fromkeys(range(100, 164), 0))
    rows = table.rows({1: 1})
    with pytest.raises(MapFull):
        table.push(rows)
    assert rows.pending == 1
    table.delete([100])
    assert table.push(rows) == 1
    assert table[1] == 1


def test_a_push_needs_rows_of_the_table(make_table, layout_of):
    """Rows of a trie are trimmed when they are put, which only its table knows."""
    from axoneme.datapath.tables import Rows

    with pytest.raises(MapError, match=r"of another form: use Table\.rows"):
        make_table("trie", "routes").push(Rows(layout_of("routes")))
