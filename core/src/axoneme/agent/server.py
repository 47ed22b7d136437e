# SPDX-License-Identifier: Apache-2.0
"""The agent's socket: one JSON object a line in, one out. Its directory and itself are root's.

In: {"method": name, "arguments": {...}}. Out: {"result": ...} or {"error": sentence}.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from axoneme.errors import AxonemeError, nearest

from .client import SOCKET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

_LONGEST_REQUEST = 1 << 16


def _free(run_dir: Path) -> Path:
    """Where the socket will be; what an agent that was killed left there is removed."""
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = run_dir / SOCKET
    path.unlink(missing_ok=True)
    return path


@asynccontextmanager
async def serve(run_dir: Path, methods: Mapping[str, Any]) -> AsyncIterator[None]:
    """Answer requests on <run_dir>/agent.sock, mode 0600."""
    path = _free(run_dir)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for line in reader:
                writer.write(json.dumps(await _answer(line, methods)).encode() + b"\n")
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
