# SPDX-License-Identifier: Apache-2.0
"""Asking an agent over its socket: one JSON object a line out, one in.

Whoever asks waits for this module's imports, so there are few.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SOCKET = "agent.sock"
#: How long an answer may take.
SECONDS = 30.0


def ask(run_dir: Path, method: str, **arguments: Any) -> Any:
    """Ask the agent whose run directory this is.

    Raises:
        ConnectionError: no agent is running there.
        AxonemeError: the agent's own words.
    """
    path = run_dir / SOCKET
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        try:
            connection.connect(str(path))
        except OSError as error:
            raise nobody(path) from error
        connection.sendall(encode(method, arguments))
        with connection.makefile("rb") as lines:
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
    """The error where no agent is."""
    return ConnectionError(f"no agent answers at {path}")
