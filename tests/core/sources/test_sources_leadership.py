# SPDX-License-Identifier: Apache-2.0
"""One leads, and another as soon as it has ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from axoneme import StateError
from axoneme.sources import EmbeddedSource
from axoneme.testing import scaled

_LEAD = """
import asyncio, sys
from pathlib import Path
from axoneme.sources import EmbeddedSource
asyncio.run(EmbeddedSource(Path(sys.argv[1])).leadership("other").acquire())
print("leading", flush=True)
sys.stdin.read()
"""


def test_one_leads_and_says_who_it_is(source):
    """Others see it, and do not lead; nobody leads when it has let go."""
    first, second = source.leadership("first"), source.leadership("second")
    assert second.leader() == ""

    async def both():
        await first.acquire()
        await first.acquire()
        assert first.leads()
        assert second.leader() == first.leader()
        assert first.leader().startswith("first, since 2")
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        assert not second.leads()
        first.release()
        await asyncio.wait_for(waiting, scaled(5))
        assert second.leader().startswith("second, since 2")

    asyncio.run(both())
    assert second.leads()
    assert not first.leads()
    second.release()
    assert source.leadership().leader() == ""


def test_a_process_that_is_killed_leads_no_more(source):
    """Whatever the file says."""
    line = [sys.executable, "-c", _LEAD, str(source.state)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"leading\n"
        assert source.leadership().leader().startswith("other, since")
        other.kill()
    assert source.leadership().leader() == ""
    own = source.leadership("own")
    asyncio.run(asyncio.wait_for(own.acquire(), scaled(5)))
    assert own.leads()
    own.release()


def test_looking_keeps_nobody_from_leading(source):
    """Agents look all the time."""
    first = source.leadership("first")
    asyncio.run(first.acquire())
    first.release()
    for _ in range(20):
        assert source.leadership().leader() == ""
        asyncio.run(asyncio.wait_for(first.acquire(), scaled(5)))
        first.release()


def test_a_file_that_is_replaced_is_no_lock(source):
    """Who had locked it leads no more: another may."""
    first, second = source.leadership("first"), source.leadership("second")
    asyncio.run(first.acquire())
    (source.state / ".operator.lock").unlink()
    asyncio.run(second.acquire())
    assert not first.leads()
    assert second.leads()
    second.release()


def test_where_no_file_can_be_made(tmp_path):
    """It is named."""
    with pytest.raises(StateError, match=r"none/\.operator\.lock"):
        asyncio.run(EmbeddedSource(tmp_path / "none").leadership().acquire())
