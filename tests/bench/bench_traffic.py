# SPDX-License-Identifier: Apache-2.0
"""What two pods of a node notice: round trips and throughput, beside plain routed veth.

The same pods, by turns with our programs attached and without. Client and server of the round trips
are on one CPU, those of the stream on one each: unpinned, placement alone decides.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from functools import partial
from statistics import median
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

from tests.bench.compiling import compiled_program
from tests.bench.measure import in_turns, quick, ratio
from tests.bench.pods import carried
from tests.bench.processes import urgent, wait_for
from tests.bench.results import BenchError, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.bench.pods import Carried

    from axoneme.model import Address

_PORT = 7777
_ROUND_TRIPS = 60_000
_PARTS = 5
_STREAM_SECONDS = 2


def run() -> list[Result]:
    """Measure between two pods; needs root and iperf3."""
    with carried(2) as pods, compiled_program("rr") as rr:
        return [*_round_trips(pods, rr), *_stream(pods)]


def _cpus() -> tuple[int, int]:
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[0], cpus[-1]


def _round_trips(pods: Carried, rr: Path) -> list[Result]:
    client, server = pods.pods
    cpu, _ = _cpus()

    def ask(address: Address) -> float:
        """The median round trip of the fastest part: whoever else uses the machine only adds."""
        count = _ROUND_TRIPS // _PARTS // (10 if quick() else 1)
        words = urgent(rr, "ask", address, _PORT, count)
        return min(float(client.run(words, cpu=cpu).split()[0]) for _ in range(_PARTS))

    with server.popen(urgent(rr, "serve", _PORT), cpu=cpu, stdout=PIPE, text=True) as process:
        wait_for(process, "ready")
        ipv4 = _beside_plain(pods, partial(ask, server.ipv4))
        ipv6 = _beside_plain(pods, partial(ask, server.ipv6))
        process.terminate()
    return [
        Result("round trip between two pods, of plain veth", ratio(*ipv4), "x", goal=0.96),
        Result("round trip in IPv6, of plain veth", ratio(*ipv6), "x"),
        Result("round trip between two pods", median(ipv4[0]), "us"),
        Result("round trip on plain veth", median(ipv4[1]), "us"),
    ]


def _stream(pods: Carried) -> list[Result]:
    client, server = pods.pods
    client_cpu, server_cpu = _cpus()
    seconds = 1 if quick() else _STREAM_SECONDS

    def stream() -> float:
        words = urgent("iperf3", "--client", server.ipv4, "--time", seconds, "--json")
        report = json.loads(client.run(words, cpu=client_cpu))
        return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9

    words = urgent("iperf3", "--server", "--forceflush")
    with server.popen(words, cpu=server_cpu, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        wait_for(process, "listening")
        ours, plain = _beside_plain(pods, stream)
        process.terminate()
    name = "throughput of a stream, of plain veth"
    return [
        Result(name, ratio(ours, plain), "x", goal=0.97, at_least=True),
        Result("throughput of a stream", median(ours), "Gbit/s"),
    ]


def _beside_plain(pods: Carried, measure: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Ours and plain veth's, in turns."""

    def ours() -> float:
        with _attached(pods):
            return measure()

    found = in_turns({"ours": ours, "plain": measure})
    return found["ours"], found["plain"]


@contextmanager
def _attached(pods: Carried) -> Iterator[None]:
    before = pods.redirected()
    pods.attach()
    try:
        yield
    finally:
        pods.detach()
    if pods.redirected() == before:
        raise BenchError("no packet was redirected: the pods did not talk by our programs")
