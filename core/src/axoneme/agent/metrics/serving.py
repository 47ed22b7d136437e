# SPDX-License-Identifier: Apache-2.0
"""The metrics by HTTP, for Prometheus: one page, and nothing that can be changed by it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_log = logging.getLogger(__name__)
#: What Prometheus itself asks for.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PATH: Final = "/metrics"
_SECONDS: Final = 10.0
_LONGEST_LINE: Final = 8192
_MOST_HEADERS: Final = 64


@asynccontextmanager
async def serve_metrics(
    address: str,
    render: Callable[[], str],
    note: Callable[[str], object],
    *,
    key: str = "prometheus-serve-addr",
) -> AsyncIterator[None]:
    """Answer on an address such as ":9962", of all of this node or one; on none if it is "".

    An address that cannot be had is noted, with the key that says it, and all else goes on.
    """

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                writer.write(_answer(await _request(reader), render))
                await writer.drain()
        except (ConnectionError, TimeoutError, ValueError):
            pass  # the peer left, sends nothing, or sends what is no request
        finally:
            writer.close()

    server = None
    if address:
        host, _, port = address.rpartition(":")
        try:
            server = await asyncio.start_server(
                connected, host.strip("[]") or None, int(port), limit=_LONGEST_LINE
            )
        except OSError as error:
            note(f"metrics cannot be served on {address} (agent.{key}): {error}")
        else:
            _log.info("metrics are served on %s", address)
    try:
        yield
    finally:
        if server is not None:
            server.close()


async def _request(reader: asyncio.StreamReader) -> list[str]:
    """The first line's words, once all headers have come."""
    first = await reader.readline()
    for _ in range(_MOST_HEADERS):
        if not (await reader.readline()).strip():
            return first.decode("latin-1").split()
    return []


def _answer(request: list[str], render: Callable[[], str]) -> bytes:
    match request:
        case [("GET" | "HEAD") as method, path, *_]:
            if path.partition("?")[0] != _PATH:
                return _page("404 Not Found", f"metrics are at {_PATH}\n")
            return _page("200 OK", render(), CONTENT_TYPE, body=method == "GET")
        case [_, _, *_]:
            return _page("405 Method Not Allowed", "only GET and HEAD\n")
        case _:
            return _page("400 Bad Request", "this is no request\n")


def _page(
    status: str, text: str, kind: str = "text/plain; charset=utf-8", *, body: bool = True
) -> bytes:
    data = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (data if body else b"")
