# SPDX-License-Identifier: Apache-2.0
"""The agent's end: answers, what was kept for it, and that nothing ends it."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.cni.test_cni_request import line
from tests.core.cni.test_cni_results import RESULT

from axoneme.cni import CniError, Code, do_kept, serve_cni
from axoneme.cni.server import answer
from axoneme.errors import AxonemeError


class Handler:
    """Notes what it was asked, and fails if it was given an error."""

    def __init__(self, error=None):
        self.asked = []
        self.error = error
        self.gate = None

    async def _note(self, request):
        if self.gate is not None:
            await self.gate.wait()
        self.asked.append(str(request))
        if self.error is not None:
            raise self.error

    async def add(self, request):
        """As the others, with a result."""
        await self._note(request)
        return RESULT

    delete = check = status = gc = _note


def ask(handler, sent, run_dir=Path("/nonexistent")):
    """The exit code and the document of an answer."""
    head, _, output = asyncio.run(answer(sent, handler, run_dir)).partition(b"\n")
    code, length = map(int, head.split())
    assert length == len(output)
    return code, json.loads(output) if output else None


def test_an_add_is_answered_in_the_version_of_its_configuration():
    """Older runtimes read older results."""
    for version in ("1.1.0", "0.4.0"):
        code, document = ask(Handler(), line({"cniVersion": version}))
        assert (code, document) == (0, RESULT.document(version))


@pytest.mark.parametrize("command", ["DEL", "CHECK", "STATUS", "GC"])
def test_the_others_are_answered_with_nothing(command):
    """They print nothing when they succeed."""
    handler = Handler()
    assert ask(handler, line(command=command)) == (0, None)
    assert handler.asked[0].startswith(command)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CniError(Code.NO_ADDRESSES, "none left", details="of 250"), 100),
        (AxonemeError("something of ours"), 199),
        (OSError(28, "No space left on device"), 5),
        (RuntimeError("a fault"), 199),
    ],
)
def test_every_error_is_an_error_of_the_specification(error, code):
    """Its number, a sentence, the version; the exit code is 1."""
    exit_code, document = ask(Handler(error), line({"cniVersion": "1.0.0"}))
    assert exit_code == 1
    assert document["cniVersion"] == "1.0.0"
    assert document["code"] == code
    assert document["msg"]
    assert str(error).split(":")[0] in f"{document['msg']} {document.get('details')}"


def test_the_socket_is_for_root_only_and_goes_with_the_server(tmp_path):
    """Mode 0600 in a directory of 0700; what a killed agent left there is no obstacle."""
    run_dir = tmp_path / "run"

    async def modes():
        async with serve_cni(run_dir, Handler()):
            socket_mode = stat.S_IMODE((run_dir / "cni.sock").stat().st_mode)
            return socket_mode, stat.S_IMODE(run_dir.stat().st_mode)

    assert asyncio.run(modes()) == (0o600, 0o700)
    assert not (run_dir / "cni.sock").exists()
    (run_dir / "cni.sock").touch()
    assert asyncio.run(modes()) == (0o600, 0o700)


def test_the_server_waits_for_what_it_has_begun(tmp_path):
    """An agent that ends does not leave half a pod."""

    async def scenario():
        handler = Handler()
        handler.gate = asyncio.Event()
        async with serve_cni(tmp_path, handler):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "cni.sock")
            writer.write(line() + b"\n")
            await asyncio.sleep(0.05)
            asyncio.get_running_loop().call_later(0.05, handler.gate.set)
        said = await reader.read()
        writer.close()
        return said

    assert asyncio.run(scenario()).startswith(b"0 ")


def test_a_stranger_who_says_nothing_does_not_keep_the_agent(tmp_path):
    """Only a request that was read is waited for."""

    async def scenario():
        async with serve_cni(tmp_path, Handler()):
            _, writer = await asyncio.open_unix_connection(tmp_path / "cni.sock")
            await asyncio.sleep(0.05)
        writer.close()

    asyncio.run(asyncio.wait_for(scenario(), 5))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.binary(), min_size=1, max_size=4))
def test_no_bytes_end_the_server(tmp_path, parts):
    """Strangers send what they like and leave when they like; the next request is answered."""

    async def scenario():
        async with serve_cni(tmp_path, Handler()):
            for part in parts:
                _, writer = await asyncio.open_unix_connection(tmp_path / "cni.sock")
                writer.write(part)
                writer.close()
            reader, writer = await asyncio.open_unix_connection(tmp_path / "cni.sock")
            writer.write(line() + b"\n")
            said = await reader.read()
            writer.close()
            return said

    assert asyncio.run(scenario()).startswith(b"0 ")


def kept(tmp_path, name, data):
    """A file in the queue."""
    queue = tmp_path / "cni-queue"
    queue.mkdir(exist_ok=True)
    (queue / name).write_bytes(data)
    return queue / name


def test_what_was_kept_is_done_before_anything_else(tmp_path):
    """The oldest deeds come first: a DEL of a container precedes its next ADD."""
    path = kept(tmp_path, "c0ffee@eth0.json", line(command="DEL"))
    handler = Handler()

    async def scenario():
        async with serve_cni(tmp_path, handler):
            pass

    asyncio.run(scenario())
    assert handler.asked == ["DEL c0ffee eth0"]
    assert not path.exists()


def test_a_kept_request_that_fails_stays_and_is_named(tmp_path):
    """It is tried again later."""
    path = kept(tmp_path, "a.json", line(command="DEL"))
    (problem,) = asyncio.run(do_kept(tmp_path, Handler(AxonemeError("not now"))))
    assert str(path) in problem
    assert "not now" in problem
    assert asyncio.run(do_kept(tmp_path, Handler())) == []
    assert not path.exists()


def test_a_fault_in_one_kept_request_stops_no_other(tmp_path):
    """The agent starts, names it, and does the others."""
    kept(tmp_path, "a.json", line(command="DEL"))
    kept(tmp_path, "b.json", line(command="DEL", containerId="b"))
    handler = Handler(RuntimeError("a fault"))
    assert len(asyncio.run(do_kept(tmp_path, handler))) == 2
    assert handler.asked == ["DEL c0ffee eth0", "DEL b eth0"]


def test_a_device_that_is_added_again_is_not_taken_away_by_what_was_kept(tmp_path):
    """A container that starts again has the name it had; requests for other devices stay."""
    old = kept(tmp_path, "a.json", line(command="DEL"))
    other = kept(tmp_path, "b.json", line(command="DEL", containerId="b"))
    third = kept(tmp_path, "c.json", line(command="DEL", ifname="eth1"))
    assert ask(Handler(), line(), tmp_path)[0] == 0
    assert [path.exists() for path in (old, other, third)] == [False, True, True]


@pytest.mark.parametrize("data", [b"", b"half of a requ", line(command="ADD"), b"\xff" * 9])
def test_garbage_among_what_was_kept_is_removed(tmp_path, data):
    """And the request beside it is done."""
    path = kept(tmp_path, "a.json", data)
    kept(tmp_path, "b.json", line(command="DEL"))
    handler = Handler()
    assert asyncio.run(do_kept(tmp_path, handler)) == []
    assert handler.asked == ["DEL c0ffee eth0"]
    assert not path.exists()
