# SPDX-License-Identifier: Apache-2.0
"""Datagrams that are sent all the time, and the moments when they begin and cease to arrive."""

from __future__ import annotations

import select
import socket
import subprocess
import time
from subprocess import PIPE
from typing import TYPE_CHECKING, Self

from tests.bench.processes import urgent
from tests.bench.results import BenchError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tests.system.runtimes import Container

    from axoneme.model import Address

_INTERVAL_US = 100
_PORT = 9000
_SECONDS = 5.0


class Gated:
    """One flow from a container to an address of another, and csrc/gate, which watches it."""

    def __init__(self, gate: Path, sender: Container, receiver: Container, at: Address) -> None:
        listener = receiver.call(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM)
        with listener, sender.connected(at) as source:
            listener.bind(("", _PORT))
            source.setblocking(True)
            ends = source.fileno(), listener.fileno()
            self._process = subprocess.Popen(
                urgent(gate, *ends, _INTERVAL_US), stdin=PIPE, stdout=PIPE, bufsize=0, pass_fds=ends
            )

    def _next(self, seconds: float) -> tuple[bool, int] | None:
        """The next change: to whether packets arrive, and when that was, in ns."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return None
        line = self._process.stdout.readline().split()
        if not line:
            raise BenchError("nothing is sent any more")
        return line[0] == b"1", int(line[1])

    def expect(self, *, arriving: bool) -> int:
        """Wait until datagrams arrive, or cease to; when the first was sent of which that is so.

        Raises:
            BenchError: that does not happen within seconds.
        """
        found = self._next(_SECONDS)
        if found is None or found[0] is not arriving:
            raise BenchError(f"datagrams do not {'begin' if arriving else 'cease'} to arrive")
        return found[1]

    def expect_none(self, seconds: float) -> None:
        """See that it stays as it is for some time.

        Raises:
            BenchError: datagrams began or ceased to arrive.
        """
        end = time.monotonic() + seconds
        if self._next(seconds) is not None:
            raise BenchError(f"{end - time.monotonic():.3f} s too early something changed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._process:
            self._process.kill()
