# SPDX-License-Identifier: Apache-2.0
"""The agent's end of the CNI: a socket for root only, on which runtimes ask.

In: one JSON object in a line (see `executable`). Out: a line with the exit code and a length, and
behind it as many bytes for the executable to print. Whatever comes in, the answer is an error of
the specification at worst.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from axoneme.cni.errors import CniError, Code
from axoneme.cni.executable import SOCKET, VERSIONS
from axoneme.cni.kept import do_kept, forget_kept
from axoneme.cni.request import Command, read_request
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from axoneme.cni.request import CniRequest
    from axoneme.cni.results import CniResult

_log = logging.getLogger(__name__)
_LONGEST_REQUEST = 4 << 20  # a configuration of a megabyte, all of it escaped


class CniHandler(Protocol):
    """What an agent does for a runtime. Each of these may be asked twice for the same."""

    async def add(self, request: CniRequest) -> CniResult:
        """Make a pod's device; when it returns, packets pass as the policies want them to."""
        ...

    async def delete(self, request: CniRequest) -> None:
        """Remove a pod's device; nothing happens if it is not there."""
        ...

    async def check(self, request: CniRequest) -> None:
        """Raise CniError if a pod's device is not as ADD left it."""
        ...

    async def status(self, request: CniRequest) -> None:
        """Raise CniError if an ADD could not be done now."""
        ...

    async def gc(self, request: CniRequest) -> None:
        """Remove the devices of the network that the request does not name."""
        ...


@asynccontextmanager
async def serve_cni(run_dir: Path, handler: CniHandler) -> AsyncIterator[None]:
    """Answer on <run_dir>/cni.sock, mode 0600, after what was kept has been done."""
    path = _free(run_dir)
    busy: set[asyncio.Task[Any]] = set()
    ready = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await ready.wait()
            line = await reader.readline()
            busy.add(task)
            writer.write(await answer(line, handler, run_dir))
            await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the runtime left, or its line is longer than any request
        finally:
            busy.discard(task)
            writer.close()

    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(connected, path, limit=_LONGEST_REQUEST)
    finally:
        os.umask(mask)
    try:
        # In this order: whoever keeps a request asks once more behind it.
        for problem in await do_kept(run_dir, handler):
            _log.error("%s", problem)
        ready.set()
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
        if busy:  # half a pod is worse than a late end
            await asyncio.wait(busy)


def _free(run_dir: Path) -> Path:
    """Where the socket will be; what an agent that was killed left there is removed."""
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = run_dir / SOCKET
    path.unlink(missing_ok=True)
    return path


async def answer(line: bytes, handler: CniHandler, run_dir: Path) -> bytes:
    """Do one request, and return what the executable is to exit with and to print.

    What was kept for a device in `run_dir` is over when it is added.
    """
    version = VERSIONS[-1]
    try:
        request = read_request(line)
        version = request.config.version
        if request.command is Command.ADD:
            forget_kept(run_dir, request)
        document = await _do(request, handler)
    except CniError as error:
        return _failed(version, error)
    except AxonemeError as error:
        return _failed(version, CniError(Code.FAILED, str(error)))
    except OSError as error:
        sentence = "the agent cannot write what belongs to the pod"
        return _failed(version, CniError(Code.IO_FAILURE, sentence, details=str(error)))
    except Exception as error:  # noqa: BLE001 - the agent goes on, whatever a request makes of it
        _log.critical("a CNI request met a fault of the agent", exc_info=error)
        return _failed(version, CniError(Code.FAILED, "the agent has a fault", details=repr(error)))
    return _encoded(0, document)


async def _do(request: CniRequest, handler: CniHandler) -> dict[str, Any] | None:
    if request.command is Command.ADD:
        return (await handler.add(request)).document(request.config.version)
    others = {
        Command.DEL: handler.delete,
        Command.CHECK: handler.check,
        Command.STATUS: handler.status,
        Command.GC: handler.gc,
    }
    await others[request.command](request)
    return None


def _failed(version: str, error: CniError) -> bytes:
    document: dict[str, Any] = {
        "cniVersion": version,
        "code": int(error.code),
        "msg": error.message,
    }
    if error.details:
        document["details"] = error.details
    _log.warning("CNI: %s", error)
    return _encoded(1, document)


def _encoded(exit_code: int, document: dict[str, Any] | None) -> bytes:
    output = b"" if document is None else json.dumps(document).encode() + b"\n"
    return b"%d %d\n%s" % (exit_code, len(output), output)
