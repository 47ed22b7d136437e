# SPDX-License-Identifier: Apache-2.0
"""The whole way between two pods of a node: admitted, tracked, allowed by both, delivered.

By test runs, with the packet restored before each. What restoring costs is measured in the same
turn and taken off, so that a figure is that of the pipeline as if it ran alone; the program that
does nothing says how much of it is the run's own.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.compiling import compiled_object
from tests.bench.flows import ACK, REPEATS, SYN, Flows, Place
from tests.bench.measure import in_turns, quick, ratio
from tests.bench.results import Result

from axoneme.testing import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.bench.flows import Runner

_ISSUE = "network"
_PARTS = 20
_QUICK_PARTS = 5
_FEW, _MANY = 1 << 16, 1 << 20
_OTHERS = 10_000
_TURNS_ROOM = 16


def run() -> list[Result]:
    """Measure; needs root, and some hundred megabytes for maps."""
    with ExitStack() as stack:
        source = stack.enter_context(compiled_object("restore"))
        node, crowd = (stack.enter_context(Node()) for _ in range(2))
        small = Place(node, source, flows=_FEW, room=_FEW * 2, others=0)
        room = _MANY + _TURNS_ROOM * _FEW
        large = Place(crowd, source, flows=_MANY, room=room, others=_OTHERS)
        one, few = Flows(), Flows(_FEW)
        measures = {
            "nothing": partial(_nothing, small),
            "hot": partial(_established, small, one),
            "hot of many": partial(_established, large, one),
            "few": partial(_established, small, few),
            "few of many": partial(_established, large, few),
            "many": partial(_established, large, Flows(_MANY)),
            "new": partial(_new, large),
        }
        return _results(in_turns(measures))


def _nothing(place: Place) -> float:
    with place.loaded() as runner:
        return _fastest(runner.nothing)


def _established(place: Place, flows: Flows) -> float:
    """Packets of flows that are established; many flows are gone through once."""
    repeat = max(flows.count, REPEATS)
    with place.loaded() as runner:
        time = _fastest(partial(runner.packets, ACK, flows, repeat=repeat))
        return _alone(runner, time, flows)


def _new(place: Place) -> float:
    """The first packets of flows, each of which is put down, with what both sides granted."""
    flows = place.fresh(_FEW)
    with place.loaded() as runner:
        return _alone(runner, runner.packets(SYN, flows, repeat=_FEW), flows)


def _alone(runner: Runner, time: float, flows: Flows) -> float:
    """What is left of a time without the restoring."""
    return time - _fastest(partial(runner.restoring, flows)) + _fastest(runner.nothing)


def _fastest(measure: Callable[[], float]) -> float:
    """The fastest part, since whoever else uses the CPU only adds."""
    return min(measure() for _ in range(_QUICK_PARTS if quick() else _PARTS))


def _results(times: Mapping[str, list[float]]) -> list[Result]:
    def row(name: str, what: str, goal: float | None = None) -> Result:
        return Result(name, median(times[what]), "ns", goal, issue=_ISSUE)

    crowded = ratio(times["hot of many"], times["hot"])
    amid = f"amid {_OTHERS:,} policy entries and endpoints, {_MANY:,} flows"
    return [
        row("pod to pod, established, one hot flow", "hot", 100),
        Result(f"the same {amid}, ratio", crowded, goal=1.15, issue=_ISSUE),
        row(f"pod to pod, {_FEW:,} flows in permuted order", "few", 300),
        row(f"the same {amid}", "few of many", 750),
        row(f"pod to pod, {_MANY:,} flows in permuted order", "many"),
        row("pod to pod, a new flow, both sides", "new", 900),
        row("a program that does nothing, in the same runs", "nothing"),
    ]
