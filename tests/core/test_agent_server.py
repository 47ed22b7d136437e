# SPDX-License-Identifier: Apache-2.0
"""The agent's socket: requests with answers, and streams, which end when one side leaves."""

from __future__ import annotations

import asyncio

import pytest

from axoneme.agent.client import SOCKET, ask, follow
from axoneme.agent.server import serve
from axoneme.errors import AxonemeError
from axoneme.testing import scaled


class Source:
    """Streams numbers, each with as many bytes; says when it has been let go."""

    def __init__(self):
        self.closed = asyncio.Event()

    def count(self, upto, forever=False):
        """A stream; what is wrong with it is said before it begins."""
        if upto < 0:
            raise AxonemeError("count upwards")
        return self._count(upto, forever)

    async def _count(self, upto, forever):
        try:
            yield {"upto": upto}, b""
            for number in range(upto):
                yield {"number": number}, b"\n" * number
            if forever:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


@pytest.fixture
def served(tmp_path):
    """A function that serves while another one runs in a thread."""

    def run(client):
        async def both():
            source = Source()
            methods = {"double": lambda number: 2 * number, "half": lambda number: 1 / number}
            async with serve(tmp_path, methods, {"count": source.count}):
                found = await asyncio.to_thread(client, tmp_path)
                if isinstance(found, list):
                    await asyncio.wait_for(source.closed.wait(), scaled(5))
            return found

        return asyncio.run(both())

    return run


def test_a_request_is_answered(served):
    """What the method returns, or its error with the nearest name."""
    assert served(lambda run_dir: ask(run_dir, "double", number=21)) == 42
    with pytest.raises(AxonemeError, match="no method 'duoble'; there are double, half, count"):
        served(lambda run_dir: ask(run_dir, "duoble"))


def test_a_fault_of_the_agents_own_is_told_to_whoever_asked(served, caplog):
    """With what it was; the log has the traceback, and the next request is answered."""
    with pytest.raises(AxonemeError, match="half failed: ZeroDivisionError"):
        served(lambda run_dir: ask(run_dir, "half", number=0))
    assert "Traceback" in caplog.text


def test_a_stream_has_a_result_then_headers_with_bytes(served):
    """Whatever the bytes are, lines among them too."""
    found = served(lambda run_dir: list(follow(run_dir, "count", upto=3)))
    assert found == [
        ({"upto": 3}, b""),
        ({"number": 0, "bytes": 0}, b""),
        ({"number": 1, "bytes": 1}, b"\n"),
        ({"number": 2, "bytes": 2}, b"\n\n"),
    ]


def test_a_stream_ends_when_its_reader_leaves(served):
    """The agent lets go of what it was for, although there is nothing to send."""

    def leave(run_dir):
        stream = follow(run_dir, "count", upto=1, forever=True)
        found = [next(stream)]
        stream.close()
        return found

    assert served(leave) == [({"upto": 1}, b"")]


def test_a_stream_that_cannot_begin_is_an_error(served):
    """The agent's own words."""

    def begin(run_dir):
        return next(follow(run_dir, "count", upto=-1))

    with pytest.raises(AxonemeError, match="count: count upwards"):
        served(begin)


def test_only_root_may_ask(tmp_path):
    """The socket is for its owner alone."""

    async def mode():
        async with serve(tmp_path, {}):
            return (tmp_path / SOCKET).stat().st_mode & 0o777

    assert asyncio.run(mode()) == 0o600


def test_nobody_answers_where_no_agent_is(tmp_path):
    """To a stream as to a request."""
    with pytest.raises(ConnectionError, match="no agent answers"):
        next(follow(tmp_path, "count", upto=1))
    with pytest.raises(ConnectionError, match="no agent answers"):
        ask(tmp_path, "double", number=1)
