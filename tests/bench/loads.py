# SPDX-License-Identifier: Apache-2.0
"""Loads between two pods: round trips, connections and a stream, each in its fastest part.

Whoever else uses the machine only adds. Client and server of what is answered are on one CPU, those
of a stream on one each: unpinned, placement alone decides.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

from attrs import frozen
from tests.bench.measure import quick
from tests.bench.processes import urgent, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from axoneme.model import Address
    from axoneme.testing import Pod

PORT = 7777
STREAM_PORT = 5201
_PARTS = 5
_STREAM_SECONDS = 2


@frozen
class Connecting:
    """How long connections took to be opened, in microseconds, and how many were made a second."""

    median: float
    p99: float
    a_second: float


@frozen
class Load:
    """csrc/rr, as client and as server."""

    rr: Path
    count: int = 60_000

    @contextmanager
    def served(self, server: Pod) -> Iterator[None]:
        """Answer at PORT of a pod."""
        words = urgent(self.rr, "serve", PORT)
        with server.popen(words, cpu=_cpus()[0], stdout=PIPE, text=True) as process:
            wait_for(process, "ready")
            yield
            process.terminate()

    def round_trip(self, client: Pod, address: Address) -> float:
        """The median round trip over an established connection, in microseconds."""
        return min(self._ask("ask", client, address)[0] for _ in range(_PARTS))

    def connecting(self, client: Pod, address: Address) -> Connecting:
        """Connections, one after the other, each for one byte there and back."""
        parts = [self._ask("connect", client, address) for _ in range(_PARTS)]
        medians, highest, rates = zip(*parts, strict=True)
        return Connecting(min(medians), min(highest), max(rates))

    def _ask(self, how: str, client: Pod, address: Address) -> list[float]:
        count = self.count // _PARTS // (10 if quick() else 1)
        words = urgent(self.rr, how, address, PORT, count)
        return [float(word) for word in client.run(words, cpu=_cpus()[0]).split()]


@contextmanager
def stream_served(server: Pod) -> Iterator[None]:
    """Take streams at STREAM_PORT of a pod; needs iperf3."""
    words = urgent("iperf3", "--server", "--port", STREAM_PORT, "--forceflush")
    with server.popen(words, cpu=_cpus()[1], stdout=PIPE, stderr=DEVNULL, text=True) as process:
        wait_for(process, "listening")
        yield
        process.terminate()


def stream(client: Pod, address: Address) -> float:
    """The throughput of a stream of TCP, in Gbit/s."""
    seconds = 1 if quick() else _STREAM_SECONDS
    words = urgent(
        *("iperf3", "--client", address, "--port", STREAM_PORT, "--time", seconds, "--json")
    )
    report = json.loads(client.run(words, cpu=_cpus()[0]))
    return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9


def _cpus() -> tuple[int, int]:
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[0], cpus[-1]
