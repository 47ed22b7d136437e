# SPDX-License-Identifier: Apache-2.0
"""Asking an agent, or an operator, over its socket: one JSON object a line out, one in.

Whoever asks waits for this module's imports, so there are few.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedRWPair
    from pathlib import Path

SOCKET = "agent.sock"
OPERATOR_SOCKET = "operator.sock"
#: How long an answer may take.
SECONDS = 30.0


def ask(run_dir: Path, method: str, **arguments: Any) -> Any:
    """Ask the agent whose run directory this is.

    Raises:
        ConnectionError: no agent is running there.
        AxonemeError: the agent's own words.
    """
    return ask_at(run_dir / SOCKET, method, **arguments)


def ask_at(path: Path, method: str, **arguments: Any) -> Any:
    """Ask whoever serves a socket.

    Raises:
        ConnectionError: nobody does.
        AxonemeError: its own words.
    """
    with _connect(path) as connection, connection.makefile("rwb") as lines:
        return _ask(path, lines, method, arguments)


def follow(
    run_dir: Path, method: str, *, patience: float | None = None, **arguments: Any
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Follow a stream of the agent: its result first, then each header with its bytes.

    patience: seconds to wait for the next header; None is for ever.

    Raises:
        ConnectionError: no agent is running there, or it has ended.
        TimeoutError: the next header did not come in time.
        AxonemeError: the agent's own words.
    """
    path = run_dir / SOCKET
    with _connect(path) as connection, connection.makefile("rwb") as lines:
        yield _ask(path, lines, method, arguments), b""
        connection.settimeout(patience)
        for line in lines:
            header = json.loads(line)
            yield header, lines.read(header["bytes"])


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SECONDS)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise nobody(path) from error
    return connection


def _ask(path: Path, lines: BufferedRWPair, method: str, arguments: dict[str, Any]) -> Any:
    lines.write(encode(method, arguments))
    lines.flush()
    return result(path, lines.readline())


def encode(method: str, arguments: dict[str, Any]) -> bytes:
    """A request as it is sent."""
    return json.dumps({"method": method, "arguments": arguments}).encode() + b"\n"


def result(path: Path, line: bytes) -> Any:
    """What an answer says.

    Raises:
        ConnectionError: there is none, since the agent ended.
        AxonemeError: the agent's own words.
    """
    if not line:
        raise nobody(path)
    answer = json.loads(line)
    if "error" in answer:
        from axoneme.errors import AxonemeError

        raise AxonemeError(answer["error"])
    return answer["result"]


def nobody(path: Path) -> ConnectionError:
    """The error where no agent is, or no operator: the socket is called as they are."""
    return ConnectionError(f"no {path.stem} answers at {path}")
