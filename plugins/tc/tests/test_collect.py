# SPDX-License-Identifier: Apache-2.0
"""collect: what leaves conntrack, and what never does."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from plugins.tc.tests.tracking import (
    ESTABLISHED,
    NEW,
    NEW_SECONDS,
    ONE4,
    ONE6,
    OUTSIDE4,
    OUTSIDE6,
    SETTINGS,
    TWO4,
    TWO6,
    Tracking,
    datagram,
)

from axoneme.agent.collecting import Collecting
from axoneme.datapath.collector import Collector
from axoneme.testing import Node, scaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.datapath import Collection


MANY = 1000


@pytest.fixture
def collector(track: Tracking) -> Iterator[Collector]:
    """The collector of the plugin."""
    made = Collector.of(track.pipeline.datapath)
    assert made is not None
    yield made
    made.close()


def test_flows_whose_time_is_up_leave(track, collector):
    """All of them, in one go over the map, and no others."""
    for port in range(1, MANY + 1):
        track.send(datagram(ONE4, TWO4, port))
    assert collector.collect().live == MANY
    track.advance(NEW_SECONDS + 2)
    for port in range(1, 11):
        track.send(datagram(ONE6, TWO6, port))
    found = collector.collect()
    assert (found.walked, found.deleted, found.lost, found.live) == (MANY + 10, MANY, 0, 10)
    assert {str(flow.source) for flow in track.flows()} == {ONE6}
    assert collector.collect().deleted == 0


def test_a_flow_that_has_just_been_spoken_to_stays(track, collector):
    """Its packet moved its end on, though that was near."""
    track.send(datagram(ONE4, TWO4))
    track.advance(NEW_SECONDS - 3)
    assert track.state(datagram(ONE4, TWO4)) == ESTABLISHED
    track.advance(NEW_SECONDS - 3)
    assert collector.collect().deleted == 0
    assert track.state(datagram(ONE4, TWO4)) == ESTABLISHED


def test_the_flows_of_an_endpoint_that_is_gone_leave(track, collector):
    """Those from it and to it, in both families, whatever time they have left."""
    gone = [datagram(ONE4, TWO4), datagram(ONE6, TWO6), datagram(ONE4, OUTSIDE4)]
    kept = [datagram(TWO4, OUTSIDE4), datagram(TWO6, OUTSIDE6)]
    for packet in gone:
        track.send(packet)
    for packet in kept:
        track.send(packet, track.two)
    found = collector.flush(ip_address(address) for address in (ONE4, ONE6))
    assert (found.deleted, found.live) == (len(gone), len(kept))
    assert {str(flow.source) for flow in track.flows()} == {TWO4, TWO6}
    assert track.state(gone[0]) == NEW
    assert collector.collect().deleted == 0, "the addresses were gone for that one time"


def test_an_entry_that_another_takes_out_is_left_to_it(track, collector):
    """Whoever made it dead deletes it; nobody else does."""
    track.send(datagram(ONE4, TWO4))
    ((key, value),) = track.raw().items()
    track.overwrite({key: value[:4] + bytes(4) + value[8:]})
    found = collector.collect()
    assert (found.walked, found.deleted, found.live) == (1, 0, 0)
    assert len(track.raw()) == 1


def test_an_empty_map_is_collected(collector):
    """There is nothing to do, and that is no error."""
    found = collector.collect()
    assert (found.walked, found.deleted, found.live) == (0, 0, 0)


def test_a_collector_goes_on_after_a_swap(track, collector):
    """The one that was made before it, and one that is made after it."""
    track.send(datagram(ONE4, TWO4))
    track.pipeline.configure(SETTINGS)
    assert collector.collect().live == 1
    again = Collector.of(track.pipeline.datapath)
    assert again.collect().live == 1
    again.close()


def test_who_does_not_track_does_not_collect():
    """There is no collector then, and that is said."""
    with Node() as node:
        track = Tracking(node, f"{SETTINGS}\ntrack = false\n", tracks=False)
        assert Collector.of(track.pipeline.datapath) is None
        assert track.state(datagram(ONE4, TWO4)) == 0
        assert track.flows() == []
        track.close()


def collecting(track: Tracking, notes: list[str]) -> Collecting:
    """What the agent does about conntrack."""
    return Collecting(track.pipeline.datapath, notes.append)


async def gone(track: Tracking, source: str) -> None:
    """Wait until a source has no flows."""
    for _ in range(round(scaled(500))):
        if source not in {str(flow.source) for flow in track.flows()}:
            return
        await asyncio.sleep(0.02)


def test_the_agent_collects_and_flushes_endpoints_that_are_gone(track):
    """A removed endpoint's flows leave without waiting for the next round, and after a swap too."""

    async def work() -> None:
        notes: list[str] = []
        found: list[Collection] = []
        works = collecting(track, notes)
        works.tell = lambda collection, _: found.append(collection)
        task = asyncio.create_task(works.run())
        for configured in (False, True):
            track.send(datagram(ONE4, TWO4))
            track.send(datagram(TWO6, OUTSIDE6), track.two)
            if configured:
                track.pipeline.configure(SETTINGS)
            works.forget([ip_address(ONE4)])
            await gone(track, ONE4)
        assert {str(flow.source) for flow in track.flows()} == {TWO6}
        assert found[-1].live == 1
        assert notes == []
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(work())


def test_the_flows_of_a_pod_that_is_removed_leave():
    """Nobody has to say that it is gone: another pod may have its address soon."""

    async def work(track: Tracking) -> None:
        works = collecting(track, [])
        task = asyncio.create_task(works.run())
        track.send(datagram(ONE4, OUTSIDE4))
        track.send(datagram(TWO4, OUTSIDE4), track.two)
        await asyncio.sleep(1 + scaled(0.5))  # it has seen both pods: it looks every second
        assert len(track.flows()) == 2
        track.node.call(track.pipeline.engine.remove_endpoint, track.one.number)
        await gone(track, ONE4)
        assert {str(flow.source) for flow in track.flows()} == {TWO4}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with Node() as node:
        track = Tracking(node)
        asyncio.run(work(track))
        track.close()


def test_a_map_that_is_almost_full_is_named():
    """With how many flows it has, and what to do."""
    with Node() as node:
        track = Tracking(node, f"[agent.map-entries]\nconntrack = 64\n{SETTINGS}")
        notes: list[str] = []
        for port in range(1, 64):
            track.send(datagram(ONE4, TWO4, port))
        assert asyncio.run(collecting(track, notes).collect()) is not None
        assert "almost full" in notes[0]
        assert "agent.map-entries.conntrack" in notes[0]
        track.close()


def test_where_nobody_tracks_there_is_nothing_to_collect():
    """And that is no problem."""
    with Node() as node:
        track = Tracking(node, f"{SETTINGS}\ntrack = false\n", tracks=False)
        notes: list[str] = []
        works = collecting(track, notes)
        works.forget([ip_address(ONE4)])
        assert asyncio.run(works.collect()) is None
        assert notes == []
        track.close()
