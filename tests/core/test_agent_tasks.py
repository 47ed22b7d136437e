# SPDX-License-Identifier: Apache-2.0
"""Tasks that fail, end, or are cancelled."""

from __future__ import annotations

import asyncio
import logging

import pytest

from axoneme.agent import tasks
from axoneme.agent.tasks import Task, running


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were made, none of which lasts."""
    made, sleep = [], asyncio.sleep

    async def briefly(seconds):
        made.append(seconds)
        await sleep(0)

    monkeypatch.setattr(tasks.asyncio, "sleep", briefly)
    return made


def run(*works, until):
    """Keep tasks running until an event is set; what was told of them."""
    told = []

    async def main():
        async with running([Task(work.__name__, work) for work in works], told.append):
            async with asyncio.timeout(20):
                await until.wait()

    asyncio.run(main())
    return told


def test_a_task_that_fails_is_told_of_and_starts_again(pauses, caplog):
    """With its traceback in the log; the others do not notice."""
    done, runs = asyncio.Event(), []

    async def failing():
        runs.append("failing")
        if runs.count("failing") <= 2:
            raise LookupError("no such thing")
        done.set()
        await asyncio.Event().wait()

    async def steady():
        runs.append("steady")
        await asyncio.Event().wait()

    told = run(failing, steady, until=done)
    assert told == ["failing failed, and is started again: LookupError: no such thing"] * 2
    assert (runs.count("failing"), runs.count("steady")) == (3, 1)
    records = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.exc_info[0] for record in records] == [LookupError, LookupError]


def test_a_task_that_ends_is_told_of_too(pauses):
    """Its work goes on until it is cancelled."""
    done, runs = asyncio.Event(), []

    async def ending():
        runs.append(1)
        if len(runs) == 2:
            done.set()
            await asyncio.Event().wait()

    assert run(ending, until=done) == ["ending failed, and is started again: it came to an end"]


def test_the_pause_doubles_and_has_an_end(pauses):
    """However often it fails, it is tried twice a minute."""
    done = asyncio.Event()

    async def failing():
        if len(pauses) == 8:
            done.set()
        raise LookupError

    run(failing, until=done)
    assert pauses[:8] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_what_no_task_waits_for_is_told_of(caplog):
    """A callback, as of a signal or another thread."""
    done = asyncio.Event()

    def callback():
        done.set()
        raise LookupError("no such thing")

    async def calling():
        asyncio.get_running_loop().call_soon(callback)
        await asyncio.Event().wait()

    (told,) = run(calling, until=done)
    assert "callback" in told
    assert told.endswith("LookupError: no such thing")
    assert "no such thing" in caplog.text


def test_tasks_are_over_when_the_agent_is():
    """Each could clean up."""
    done, ended = asyncio.Event(), []

    async def steady():
        done.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    assert run(steady, until=done) == []
    assert ended == [1]
