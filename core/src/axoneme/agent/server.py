# SPDX-License-Identifier: Apache-2.0
"""The socket of agent or operator: one JSON object a line in, one out.

Its directory and itself are root's.

In: {"method": name, "arguments": {...}}. Out: {"result": ...} or {"error": sentence}.

A stream goes on after its result: lines of JSON objects, each followed by as many bytes as its
"bytes" says, until one side leaves.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from axoneme.errors import AxonemeError, nearest

from .client import SOCKET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)
_LONGEST_REQUEST = 1 << 16


def _free(run_dir: Path, name: str) -> Path:
    """Where the socket will be; what a process that was killed left there is removed."""
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = run_dir / name
    path.unlink(missing_ok=True)
    return path


@asynccontextmanager
async def serve(
    run_dir: Path,
    methods: Mapping[str, Any],
    streams: Mapping[str, Any] | None = None,
    *,
    name: str = SOCKET,
) -> AsyncIterator[None]:
    """Answer requests on a socket in a directory, <run_dir>/agent.sock, mode 0600.

    streams: methods that return an async generator of headers, each with bytes; the first header is
    the result.
    """
    path, streams = _free(run_dir, name), streams or {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for line in reader:
                answer = await _answer(line, {**methods, **streams})
                stream = answer.get("result")
                if isinstance(stream, AsyncGenerator):
                    await _send_until_left(stream, reader, writer)
                    break
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the peer left, or its line is longer than any request
        finally:
            writer.close()

    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(connected, path, limit=_LONGEST_REQUEST)
    finally:
        os.umask(mask)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()
        path.unlink(missing_ok=True)


async def _send_until_left(
    stream: AsyncGenerator[tuple[dict[str, Any], bytes], None],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Send a stream until it ends or the peer leaves, which says nothing more before it does."""
    sending = asyncio.create_task(_send(stream, writer))
    leaving = asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        ended = await asyncio.gather(sending, leaving, return_exceptions=True)
        await stream.aclose()
    for error in ended:
        if isinstance(error, Exception) and not isinstance(error, ConnectionError):
            _log.error("a stream has ended: %s", error, exc_info=error)


async def _send(
    stream: AsyncGenerator[tuple[dict[str, Any], bytes], None], writer: asyncio.StreamWriter
) -> None:
    result, _ = await anext(stream)
    writer.write(json.dumps({"result": result}).encode() + b"\n")
    async for header, payload in stream:
        line = json.dumps({**header, "bytes": len(payload)}).encode()
        writer.write(line + b"\n" + payload)
        await writer.drain()


async def _answer(line: bytes, methods: Mapping[str, Any]) -> dict[str, Any]:
    try:
        asked = json.loads(line)
        name, arguments = asked["method"], asked.get("arguments", {})
        method = methods[name]
    except (ValueError, TypeError):
        return {"error": 'write one JSON object a line: {"method": "status"}'}
    except KeyError as error:
        hint = nearest(str(error.args[0]), methods)
        return {"error": f"no method {error}; there are {', '.join(methods)}", "nearest": hint}
    try:
        result = method(**arguments)
        return {"result": await result if isawaitable(result) else result}
    except (AxonemeError, TypeError, KeyError) as error:
        return {"error": f"{name}: {error}"}
    except Exception as error:  # noqa: BLE001 - whoever asked is to hear of it, too
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"{name} failed", "exception": error}
        )
        return {"error": f"{name} failed: {type(error).__name__}: {error}; the log says where"}
