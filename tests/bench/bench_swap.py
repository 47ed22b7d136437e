# SPDX-License-Identifier: Apache-2.0
"""Hot swaps on a node of 100 pods: how long they take, and whether a packet is lost meanwhile.

Two of the pods talk by numbered UDP packets; every packet's number is looked for at the receiver.
The same is sent without swaps too: what is lost then, the benchmark itself has lost.
"""

from __future__ import annotations

import itertools
import os
import time
from contextlib import ExitStack
from statistics import median
from subprocess import PIPE
from typing import TYPE_CHECKING

from attrs import frozen
from tests.bench.compiling import compiled_object, compiled_program
from tests.bench.measure import quick
from tests.bench.pods import carried, tc_objects
from tests.bench.processes import urgent, wait_for
from tests.bench.results import BenchError, Result

from axoneme import PluginObject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bench.pods import Carried

PODS = 100
SWAPS = 100
RATE = 50_000
_PORT = 7778
_LONGEST = 120  # seconds after which the sender ends by itself
_PAUSE = 0.02
_PATIENCE = 60


@frozen
class Tally:
    """What became of the packets."""

    sent: int
    received: int
    lost: int
    reordered: int
    twice: int
    longest_gap_us: float


def run() -> list[Result]:
    """Swap under load; needs root."""
    with ExitStack() as stack:
        pods = stack.enter_context(carried(PODS))
        idle = stack.enter_context(compiled_object("idle"))
        useq = stack.enter_context(compiled_program("useq"))
        pods.attach()
        quiet = _traffic(pods, useq, lambda: time.sleep(2))
        spans: list[float] = []
        wholes: list[float] = []
        busy = _traffic(pods, useq, lambda: _swap(pods, idle, spans, wholes))
    return _results(busy, quiet, spans, wholes)


def _results(busy: Tally, quiet: Tally, spans: list[float], wholes: list[float]) -> list[Result]:
    return [
        Result(f"swap on {PODS} pods, first to last update", median(spans), "ms", goal=20),
        Result("the longest of them", max(spans), "ms"),
        Result("swap with link and load", median(wholes), "ms"),
        Result(f"packets lost in {len(spans)} swaps", busy.lost, "packets", goal=0),
        Result("packets sent meanwhile", busy.sent, "packets"),
        Result("packets reordered or twice", busy.reordered + busy.twice, "packets"),
        Result("longest gap at the receiver", busy.longest_gap_us / 1e3, "ms"),
        Result("packets lost without swaps", quiet.lost, "packets"),
        Result("longest gap without swaps", quiet.longest_gap_us / 1e3, "ms"),
    ]


def _swap(pods: Carried, idle: Path, spans: list[float], wholes: list[float]) -> None:
    """Link a lane in and out again, all the time."""
    without = {"tc": tc_objects()}
    versions = itertools.cycle([without | {"idle": [PluginObject(idle)]}, without])
    for _ in range(SWAPS // 10 if quick() else SWAPS):
        started = time.perf_counter()
        swap = pods.link(next(versions))
        wholes.append((time.perf_counter() - started) * 1e3)
        spans.append(swap.seconds * 1e3)
        if swap.updated != 2 * PODS:
            raise BenchError(f"{swap.updated} places were updated, not {2 * PODS}")
        time.sleep(_PAUSE)


def _traffic(pods: Carried, useq: Path, meanwhile: Callable[[], object]) -> Tally:
    """Send from one pod to another while something is done."""
    one, two = pods.pods[0], pods.pods[-1]
    cpus = sorted(os.sched_getaffinity(0))
    before = pods.redirected()
    options = {"stdin": PIPE, "stdout": PIPE, "text": True}
    with two.popen(urgent(useq, "listen", _PORT), cpu=cpus[-1], **options) as listener:
        wait_for(listener, "ready")
        words = urgent(useq, "send", two.ipv4, _PORT, RATE, _LONGEST)
        with one.popen(words, cpu=cpus[0], **options) as sender:
            started = time.perf_counter()
            meanwhile()
            seconds = time.perf_counter() - started
            sent = int(sender.communicate(timeout=_PATIENCE)[0])
        received, lost, reordered, twice, gap = listener.communicate(timeout=_PATIENCE)[0].split()
    tally = Tally(sent, int(received), int(lost), int(reordered), int(twice), float(gap))
    if pods.redirected() - before < tally.received:
        raise BenchError("packets came by another way than our programs")
    if sent < RATE * seconds / 10:  # a busy machine holds the sender up as well
        raise BenchError(f"only {sent} packets were sent in {seconds:.1f} s")
    return tally
