# SPDX-License-Identifier: Apache-2.0
"""A reader gets what it chose, in order, and is told how much it was too late for."""

from __future__ import annotations

import asyncio

import pytest
from tests.core.observe.made import directory, layout, row, times

from axoneme.observe.book import KeyReader
from axoneme.observe.choice import Chooser, parse_choice
from axoneme.observe.lost import Lost, Source
from axoneme.observe.store import Batch
from axoneme.observe.subscription import Subscription


def subscribe(room=100, **words):
    """A reader."""
    chooser = Chooser(parse_choice(words), directory(), dict)
    return Subscription(chooser, KeyReader.of(layout()), layout().size, room)


def rows(*when, **fields):
    """Rows of these times."""
    return b"".join(row(time=time, **fields) for time in when)


def taken(reader):
    """All that waits: times of rows, and losses."""
    found = []
    while message := reader.take():
        found += [*message.lost, *times(message.rows)]
    return found


def test_chosen_rows_come_in_order():
    """Those that are not chosen never do."""
    reader = subscribe(port=[80])
    reader.offer(rows(1, 2), {}, 0)
    reader.offer(rows(3, dport=81), {}, 0)
    reader.offer(rows(4), {}, 0)
    assert taken(reader) == [1, 2, 4]


def test_a_reader_that_is_slow_is_told_exactly_what_it_lost():
    """Of what it chose, at the place where it is missing."""
    reader = subscribe(room=5, port=[80])
    reader.offer(rows(1, 2, 3), {}, 0)
    reader.offer(rows(4, 5, 6) + rows(7, dport=81), {}, 50)
    reader.offer(rows(8, 9, 10, 11), {}, 60)
    assert times(reader.take().rows) == [1, 2, 3]
    reader.offer(rows(12), {}, 70)
    assert taken(reader) == [Lost(60, Source.MONITOR, 7), 12]
    assert taken(reader) == []


def test_losses_of_the_kernel_do_not_pile_up():
    """They are added up for a reader that does not read."""
    reader = subscribe()
    lost = Lost(1, Source.RING_BUFFER, 2, "drop", 0)
    for _ in range(10_000):
        reader.offer_lost(lost)
    found = taken(reader)
    assert len(found) < 5000
    assert sum(one.count for one in found) == 20_000


def test_names_come_once_and_again_when_they_change():
    """With the first rows that need them."""
    key = ("device", 3)
    reader = subscribe()
    reader.offer(rows(1), {key: "eth0"}, 0)
    assert reader.take().names == (), "no row needs it"
    reader.offer(rows(2, ifindex=3), {key: "eth0"}, 0)
    assert reader.take().names == (["device", 3, "eth0"],)
    reader.offer(rows(3, ifindex=3), {key: "eth0"}, 0)
    assert reader.take().names == ()
    reader.offer(rows(4, ifindex=3), {key: "eth1"}, 0)
    assert reader.take().names == (["device", 3, "eth1"],)


LOST = Lost(15, Source.RATE_LIMIT, 1, "trace", 1)


@pytest.mark.parametrize(
    ("last", "found"),
    [
        (None, [1, 2, LOST, 3, 4, 5]),
        (5, [1, 2, LOST, 3, 4, 5]),
        (4, [2, LOST, 3, 4, 5]),
        (3, [LOST, 3, 4, 5]),
        (1, [5]),
        (0, []),
        (99, [1, 2, LOST, 3, 4, 5]),
    ],
)
def test_the_past_is_given_from_its_end(last, found):
    """So many rows of those that are chosen, and what was lost between them."""
    reader = subscribe(room=1, port=[80])
    items = [
        Batch(bytearray(rows(1, 2) + rows(100, dport=81)), {}),
        LOST,
        Batch(bytearray(rows(3)), {}),
        Batch(bytearray(rows(101, dport=81)), {}),
        Batch(bytearray(rows(4, 5)), {}),
    ]
    reader.add_past(items, last)
    assert taken(reader) == found


def test_the_past_takes_no_room_from_what_comes():
    """It comes first, and nothing is missed for its sake."""
    reader = subscribe(room=2)
    reader.add_past([Batch(bytearray(rows(1, 2, 3)), {})])
    reader.offer(rows(4, 5), {}, 0)
    assert taken(reader) == [1, 2, 3, 4, 5]


def test_a_reader_waits_until_there_is_something():
    """A loss is something, too."""

    async def wait():
        reader = subscribe(room=1)
        task = asyncio.create_task(reader.next())
        await asyncio.sleep(0)
        assert not task.done()
        reader.offer(rows(1, 2), {}, 5)
        return await asyncio.wait_for(task, 5)

    assert asyncio.run(wait()).lost == (Lost(5, Source.MONITOR, 2),)
