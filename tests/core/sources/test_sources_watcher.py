# SPDX-License-Identifier: Apache-2.0
"""The watcher: every change is told, at once, also when directories come and go."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager

import pytest

from axoneme.sources import EmbeddedSource, Watcher


@asynccontextmanager
async def watching(directories):
    """A queue of (time, names)."""
    heard = asyncio.Queue()

    async def follow(watcher):
        async for names in watcher:
            heard.put_nowait((time.perf_counter(), names))

    with Watcher(directories) as watcher:
        task = asyncio.create_task(follow(watcher))
        await asyncio.sleep(0.01)
        yield heard
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def next_of(heard):
    return (await asyncio.wait_for(heard.get(), 5))[1]


async def nothing_of(heard):
    await asyncio.sleep(0.05)
    return heard.empty()


@pytest.fixture
def directories(tmp_path):
    found = {name: tmp_path / name for name in ("one", "two")}
    for directory in found.values():
        directory.mkdir()
    return found


def test_a_change_is_told_by_the_directory_s_name(directories):
    """Files that are written, moved in, linked, moved out and removed."""

    async def run():
        one, two = directories.values()
        async with watching(directories) as heard:
            (one / ".draft").write_text("x")
            assert await nothing_of(heard)
            (one / ".draft").rename(one / "a")
            assert await next_of(heard) == {"one"}
            os.link(one / "a", two / "b")
            assert await next_of(heard) == {"two"}
            (one / "a").write_text("more")
            assert await next_of(heard) == {"one"}
            (one / "a").rename(one.parent / "a")
            assert await next_of(heard) == {"one"}
            (two / "b").unlink()
            assert await next_of(heard) == {"two"}
            (one / "..data").symlink_to("x")
            assert await next_of(heard) == {"one"}
            assert await nothing_of(heard)

    asyncio.run(run())


def test_a_claim_is_told(tmp_path):
    """Numbers that another agent claims are links, which are never written."""

    async def run():
        source = EmbeddedSource(tmp_path)
        source.create()
        async with watching({"claims": tmp_path / "node-ids"}) as heard:
            source.node_ids.claim("one")
            assert await next_of(heard) == {"claims"}

    asyncio.run(run())


def test_a_directory_that_comes_is_told(tmp_path):
    """It need not be there at first, may go, and may be replaced by another."""

    async def run():
        late = tmp_path / "late"
        async with watching({"late": late}) as heard:
            assert await nothing_of(heard)
            late.mkdir()
            assert await next_of(heard) == {"late"}
            (late / "a").write_text("x")
            assert await next_of(heard) == {"late"}
            await asyncio.sleep(0.05)
            late.rename(tmp_path / "old")
            late.mkdir()
            await asyncio.sleep(0.05)
            while not heard.empty():
                heard.get_nowait()
            (tmp_path / "old" / "b").write_text("x")
            assert await nothing_of(heard)
            (late / "c").write_text("x")
            assert await next_of(heard) == {"late"}

    asyncio.run(run())


def test_changes_during_work_are_told_together(directories):
    """Who is slow hears once of everything, and not of each file."""

    async def run():
        with Watcher(directories) as watcher:
            told = []
            async for names in _starting(watcher, directories):
                told.append(names)
                for number in range(20):
                    (directories["one"] / f"a{number}").write_text("x")
                    (directories["two"] / f"a{number}").write_text("x")
                if len(told) == 2:
                    break
        assert told == [{"one"}, {"one", "two"}]

    asyncio.run(run())


async def _starting(watcher, directories):
    (directories["one"] / "first").write_text("x")
    async for names in watcher:
        yield names


def test_a_change_is_told_within_a_millisecond(directories):
    """Nothing waits for more to come: a policy is in force as soon as it can be."""

    async def run():
        took = []
        async with watching(directories) as heard:
            for number in range(50):
                draft = directories["one"] / ".draft"
                draft.write_text(str(number))
                start = time.perf_counter()
                draft.rename(directories["one"] / "a")
                when, _ = await heard.get()
                took.append(when - start)
                await asyncio.sleep(0.002)
        return min(took)  # the machine may be busy with something else

    assert asyncio.run(run()) < 1e-3
