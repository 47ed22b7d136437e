# SPDX-License-Identifier: Apache-2.0
"""What is kept of events: the last ones, with the names that they had."""

from __future__ import annotations

import pytest
from tests.core.observe.made import layout, row, times

from axoneme.observe.lost import Lost, Source
from axoneme.observe.store import Batch, Store


@pytest.fixture
def store():
    """Room for ten."""
    return Store(layout(), 10)


def put(store, *when, names=None):
    """Rows of these times."""
    store.put(b"".join(row(time=time) for time in when), names or {})


def kept(store, since=0):
    """The times of all rows that are kept since then."""
    return [t for item in store.since(since) if isinstance(item, Batch) for t in times(item.rows)]


def test_the_last_rows_are_kept_and_no_more(store):
    """To the row, however they come."""
    put(store, *range(1, 8))
    put(store, *range(8, 14))
    assert kept(store) == list(range(4, 14))
    assert len(store) == 10
    put(store, *range(20, 45))
    assert kept(store) == list(range(35, 45))


def test_rows_are_found_by_their_time(store):
    """From the first that is not older."""
    put(store, 10, 20)
    put(store, 30, 40, names={("device", 1): "eth0"})
    assert kept(store, 20) == [20, 30, 40]
    assert kept(store, 31) == [40]
    assert kept(store, 41) == []


def test_rows_keep_the_name_that_an_address_had(store):
    """A name that changes begins another batch; one that is new does not."""
    key = ("party", "00", 5)
    put(store, 1, names={key: "old"})
    put(store, 2, names={("rule", 16): "a rule"})
    put(store, 3, names={key: "new"})
    names = [(times(batch.rows), batch.names.get(key)) for batch in store.since(0)]
    assert names == [([1, 2], "old"), ([3], "new")]


def test_what_was_lost_has_its_place(store):
    """Between the rows, and it goes with what is older than the oldest row."""
    lost = Lost(15, Source.RING_BUFFER, 7)
    put(store, 10)
    store.put_lost(lost)
    put(store, 20)
    assert [item if isinstance(item, Lost) else times(item.rows) for item in store.since(0)] == [
        [10],
        lost,
        [20],
    ]
    assert next(iter(store.since(16))).rows == row(time=20)
    put(store, *range(30, 40))
    assert [type(item) for item in store.since(0)] == [Batch]


def test_nothing_is_kept_where_nothing_is_to_be(store):
    """The capacity may become another while it runs."""
    put(store, 1, 2, 3)
    store.capacity = 2
    store.trim()
    assert kept(store) == [2, 3]
    store.capacity = 0
    put(store, 4)
    assert kept(store) == []
