# SPDX-License-Identifier: Apache-2.0
"""What two pods of a node under policies notice of verdicts that their sockets remember.

By turns: our programs with verdicts remembered, the same without, and plain routed veth without
anything. One connection's round trips, and messages over 19,900 connections, which are measured for
as long as a lease, so that each goes the whole way about once. Client and server are on one CPU.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from statistics import median
from subprocess import PIPE
from typing import TYPE_CHECKING

from tests.bench.compiling import compiled_object, compiled_program
from tests.bench.measure import in_turns, pinned, quick, ratio
from tests.bench.pods import pipeline_objects, recalling_objects, under_policies
from tests.bench.processes import urgent, wait_for
from tests.bench.results import BenchError, Result

from axoneme import PluginObject
from axoneme.testing import plugin_codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from subprocess import Popen

    from tests.bench.pods import Carried

_ISSUE = "network"
_PORT = 7778
_ROUND_TRIPS = 60_000
_PARTS = 5
_CONNECTIONS = 19_900  # a process may have 20,000 files open
_LEASE_SECONDS = 4
_CONNTRACK = 1 << 17
_LEAST_RECALLED = 0.5  # each of many flows goes the whole way once a lease


def run() -> list[Result]:
    """Measure; needs root."""
    with (
        compiled_object("whole") as whole,
        under_policies({"conntrack": _CONNTRACK}) as pods,
        compiled_program("rr") as rr,
        compiled_program("many") as many,
        pinned() as cpu,
    ):
        compared = _Compared(pods, whole)
        return [*_one(compared, rr, cpu), *_many(compared, many, cpu)]


class _Compared:
    """The three ways to carry the pods' packets."""

    def __init__(self, pods: Carried, whole: Path) -> None:
        self.pods = pods
        self._whole = PluginObject(whole)

    def in_turns(self, measure: Callable[[], float]) -> dict[str, list[float]]:
        """What each way takes."""

        def ours(*, recalling: bool) -> float:
            with self._attached(recalling=recalling):
                return measure()

        ways = {
            "recalled": partial(ours, recalling=True),
            "asked": partial(ours, recalling=False),
            "plain": measure,
        }
        return in_turns(ways)

    @contextmanager
    def _attached(self, *, recalling: bool) -> Iterator[None]:
        pods, objects = self.pods, recalling_objects() if recalling else pipeline_objects()
        pods.link({"tc": objects, "whole": [self._whole]})
        pods.attach()
        sent, whole = pods.redirected(), self._went_whole()
        try:
            yield
        finally:
            pods.detach()
        sent, whole = pods.redirected() - sent, self._went_whole() - whole
        recalled = 1 - whole / max(sent, 1)
        if recalling != (recalled > _LEAST_RECALLED) or not sent:
            raise BenchError(f"{recalled:.0%} of {sent} packets were recalled")

    def _went_whole(self) -> int:
        codec = plugin_codec(self._whole)
        return sum(self.pods.datapath.table("whole_packets", codec)[0])


def _one(compared: _Compared, rr: Path, cpu: int) -> list[Result]:
    client, server = compared.pods.pods

    def ask() -> float:
        """The median round trip of the fastest part: whoever else uses the machine only adds."""
        count = _ROUND_TRIPS // _PARTS // (10 if quick() else 1)
        words = urgent(rr, "ask", server.ipv4, _PORT, count)
        return min(float(client.run(words, cpu=cpu).split()[0]) for _ in range(_PARTS))

    with _running(server.popen(urgent(rr, "serve", _PORT), cpu=cpu, stdout=PIPE, text=True)):
        times = compared.in_turns(ask)
    return _rows("round trip with verdicts remembered", times, "us", 0.97)


def _many(compared: _Compared, many: Path, cpu: int) -> list[Result]:
    client, server = compared.pods.pods
    count = _CONNECTIONS // (10 if quick() else 1)
    serve = urgent(many, "serve", _PORT + 1)
    ask = urgent(many, "ask", server.ipv4, _PORT + 1, count)
    with (
        _running(server.popen(serve, cpu=cpu, stdout=PIPE, text=True)),
        _running(client.popen(ask, cpu=cpu, stdin=PIPE, stdout=PIPE, text=True)) as asking,
    ):

        def measure() -> float:
            asking.stdin.write(f"{1 if quick() else _LEASE_SECONDS}\n")
            asking.stdin.flush()
            answer = asking.stdout.readline()
            if not answer:
                raise BenchError("the client of many connections ended")
            return float(answer)

        measure()  # until every connection has sent enough to be remembered
        times = compared.in_turns(measure)
    name = f"a message over each of {count:,} flows, verdicts remembered"
    return _rows(name, times, "ns", 1.05)


@contextmanager
def _running(process: Popen[str]) -> Iterator[Popen[str]]:
    """A process from when it is ready, ended whatever happens."""
    with process:
        try:
            wait_for(process, "ready")
            yield process
        finally:
            process.terminate()


def _rows(name: str, times: Mapping[str, list[float]], unit: str, goal: float) -> list[Result]:
    recalled, asked, plain = (times[way] for way in ("recalled", "asked", "plain"))
    return [
        Result(f"{name}, of plain veth", ratio(recalled, plain), "x", goal, issue=_ISSUE),
        Result(
            "the same without remembering, of plain veth", ratio(asked, plain), "x", issue=_ISSUE
        ),
        Result(name, median(recalled), unit, issue=_ISSUE),
        Result("the same on plain veth", median(plain), unit, issue=_ISSUE),
    ]
