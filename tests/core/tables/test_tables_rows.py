# SPDX-License-Identifier: Apache-2.0
"""Packed rows behave as a dict does."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from axoneme.datapath.tables import Rows

# Few keys, so that rules meet the same ones; more than one growth of the index.
KEYS = st.lists(st.integers(0, 300), max_size=120)
SMALL = st.integers(0, 3)


def test_rows_behave_as_a_dict(layout_of):
    """Whatever is put and discarded: rows, look-ups and counts agree with a dict."""

    class Machine(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.rows, self.model, self.settled = Rows(layout_of("plain")), {}, {}

        @rule(keys=KEYS, value=SMALL)
        def put(self, keys, value):
            changed = len({key for key in keys if self.model.get(key) != value})
            assert self.rows.put([(key, value) for key in keys]) == changed
            self.model |= dict.fromkeys(keys, value)

        @rule(keys=KEYS)
        def discard(self, keys):
            found = len(self.model.keys() & set(keys))
            assert self.rows.discard(keys) == found
            for key in keys:
                self.model.pop(key, None)

        @rule()
        def clear(self):
            assert self.rows.clear() == len(self.model)
            self.model.clear()

        @rule(key=st.integers(0, 300))
        def look_up(self, key):
            assert (key in self.rows) == (key in self.model)
            assert self.rows.get(key) == self.model.get(key)

        @rule()
        def copy(self):
            copied = self.rows.copy()
            assert copied == self.rows
            assert copied.pending == len(self.model)

        @invariant()
        def same_rows(self):
            assert len(self.rows) == len(self.model)
            assert dict(self.rows) == self.model

    Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
    Machine.TestCase("runTest").runTest()


def test_the_last_of_rows_with_one_key_stays(layout_of):
    """Putting goes by order, as in a dict."""
    rows = Rows(layout_of("plain"))
    assert rows.put([(1, 1), (2, 2), (1, 3)]) == 3
    assert dict(rows) == {1: 3, 2: 2}


def test_rows_are_equal_in_any_order(layout_of):
    """Equality is that of the map's content."""
    some, other = Rows(layout_of("plain")), Rows(layout_of("plain"))
    some.put({1: 1, 2: 2})
    other.put({2: 2, 1: 1})
    assert some == other
    other.put({2: 3})
    assert some != other


def test_batches_hold_all_rows_in_pieces(layout_of):
    """Iterating in batches is for writers of their own."""
    rows = Rows(layout_of("plain"))
    rows.put({number: number for number in range(10)})
    assert [len(keys) // 4 for keys, _ in rows.batches(4)] == [4, 4, 2]
    assert b"".join(keys for keys, _ in rows.batches(3)) == next(rows.batches())[0]


def test_rows_leave_as_objects(layout_of, flow):
    """Objects are made by the same attributes that they are read by."""
    layout = layout_of("flows", value={"clock.drift": "drift"})
    rows = Rows(layout)
    rows.put([{"port": 80, "addr": b"abcd", "id": 7, "clock.drift": 0, "total": 9}])
    assert list(rows.objects(flow)) == [flow(80, b"abcd", 7, total=9)]


def test_rows_are_not_hashable(layout_of):
    """They change."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(Rows(layout_of("plain")))


def test_a_hundred_thousand_rows_are_found_and_removed(layout_of):
    """The index grows and shrinks with them."""
    rows = Rows(layout_of("plain"))
    numbers = range(100_000)
    assert rows.put([(number, number) for number in numbers]) == len(numbers)
    assert rows.discard(range(0, 100_000, 2)) == 50_000
    assert len(rows) == 50_000
    assert all((number in rows) == bool(number % 2) for number in range(0, 100_000, 997))
