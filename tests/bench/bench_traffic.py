# SPDX-License-Identifier: Apache-2.0
"""What two pods of a node notice: round trips and throughput, beside plain routed veth.

The same pods, by turns with our programs attached and without.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.compiling import compiled_program
from tests.bench.loads import Load, stream, stream_served
from tests.bench.measure import in_turns, ratio
from tests.bench.pods import carried
from tests.bench.results import BenchError, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.pods import Carried


def run() -> list[Result]:
    """Measure between two pods; needs root and iperf3."""
    with carried(2) as pods, compiled_program("rr") as rr:
        return [*_round_trips(pods, Load(rr)), *_stream(pods)]


def _round_trips(pods: Carried, load: Load) -> list[Result]:
    client, server = pods.pods
    with load.served(server):
        ipv4 = _beside_plain(pods, partial(load.round_trip, client, server.ipv4))
        ipv6 = _beside_plain(pods, partial(load.round_trip, client, server.ipv6))
    return [
        Result("round trip between two pods, of plain veth", ratio(*ipv4), "x", goal=0.96),
        Result("round trip in IPv6, of plain veth", ratio(*ipv6), "x"),
        Result("round trip between two pods", median(ipv4[0]), "us"),
        Result("round trip on plain veth", median(ipv4[1]), "us"),
    ]


def _stream(pods: Carried) -> list[Result]:
    client, server = pods.pods
    with stream_served(server):
        ours, plain = _beside_plain(pods, partial(stream, client, server.ipv4))
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
