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
_SECONDS = 30.0


def ask(run_dir: Path, method: str, **arguments: Any) -> Any:
    """Ask the agent whose run directory this is.

    Raises:
        ConnectionError: no agent is running there.
        AxonemeError: the agent's own words.
    """
    request = json.dumps({"method": method, "arguments": arguments}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        try:
            connection.connect(str(run_dir / SOCKET))
        except OSError as error:
            raise ConnectionError(f"no agent answers at {run_dir / SOCKET}") from error
        connection.sendall(request)
        with connection.makefile("rb") as lines:
            answer = json.loads(lines.readline())
    if "error" in answer:
        from axoneme.errors import AxonemeError

        raise AxonemeError(answer["error"])
    return answer["result"]
