# SPDX-License-Identifier: Apache-2.0
"""What a trunk costs a packet, by test runs: empty, with lanes that do nothing, with plugins/tc.

The peer is a program written by hand that parses and counts the same, in the same map.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.compiling import compiled_object
from tests.bench.frames import tcp_frame
from tests.bench.measure import difference, in_turns, pinned, quick
from tests.bench.pods import tc_objects
from tests.bench.results import BenchError, Result

from axoneme import PluginObject
from axoneme.datapath import Datapath, LibbpfLoader, LoadRequest, Verdict
from axoneme.datapath.testruns import run_tc
from axoneme.testing import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from axoneme.testing import Pod

REPEATS = 1_000_000
PARTS = 5
_LANES = 3
_BY_HAND = ("nothing", "nothing_called", "peer")


def run() -> list[Result]:
    """Measure on one hot packet of a pod; needs root.

    Every turn loads the programs anew: where its code happens to lie is worth some nanoseconds.
    """
    with ExitStack() as stack:
        node = stack.enter_context(Node())
        pods = node.add_pod("one"), node.add_pod("two")
        peer, idle, again = (
            stack.enter_context(compiled_object(name)) for name in ("peer", "idle", "again")
        )
        carry = {"tc": tc_objects(), "again": [PluginObject(again)]}
        programs = {
            **{name: partial(_by_hand, node, peer, name) for name in _BY_HAND},
            "empty": partial(_from_pod, node, {}),
            "lane": partial(_from_pod, node, _lanes(idle, 1)),
            "lanes": partial(_from_pod, node, _lanes(idle, _LANES)),
            "tc": partial(_from_pod, node, carry, pods),
        }
        measures = {name: partial(_measure, name, load, pods) for name, load in programs.items()}
        return _results(in_turns(measures))


def _results(times: Mapping[str, list[float]]) -> list[Result]:
    empty, peer = times["empty"], times["peer"]
    return [
        Result("empty trunk, more than a hand-written peer", difference(empty, peer), "ns", goal=6),
        Result("a filled lane that does nothing", difference(times["lane"], empty), "ns", goal=5),
        Result(f"{_LANES} such lanes", difference(times["lanes"], empty), "ns"),
        Result("a program that does nothing", median(times["nothing"]), "ns"),
        Result("a call in eBPF", difference(times["nothing_called"], times["nothing"]), "ns"),
        Result("hand-written peer", median(peer), "ns"),
        Result("empty trunk from_pod", median(empty), "ns"),
        Result("from_pod with admit and forward, to a pod", median(times["tc"]), "ns"),
    ]


def _lanes(idle: Path, count: int) -> dict[str, list[PluginObject]]:
    return {f"idle{n}": [PluginObject(idle)] for n in range(count)}


@contextmanager
def _datapath(node: Node, objects: Mapping[str, list[PluginObject]]) -> Iterator[Datapath]:
    """The trunks linked with these objects; all that are open at once share the pinned maps."""
    datapath = node.call(Datapath.open, node.bpffs)
    try:
        assembly = node.call(datapath.prepare, objects)
        if assembly.refused:
            raise BenchError(f"not linked: {assembly.refused}")
        node.call(datapath.commit, assembly)
        yield datapath
    finally:
        node.call(datapath.close)


@contextmanager
def _from_pod(
    node: Node, objects: Mapping[str, list[PluginObject]], pods: tuple[Pod, ...] = ()
) -> Iterator[int]:
    """The trunk from_pod, attached where there are pods."""
    with _datapath(node, objects) as datapath:
        for pod in pods:
            node.call(datapath.add_endpoint, pod.endpoint(1000 + pod.number))
        yield datapath.assembly.programs["from_pod"].fd


@contextmanager
def _by_hand(node: Node, source: Path, name: str) -> Iterator[int]:
    """A program written by hand, counting in the node's map."""
    with _datapath(node, {}) as datapath:
        shared = ("counters", "drops", "probes", "endpoints")
        reuse = {name: datapath.maps.descriptor(name) for name in shared}
        loaded = LibbpfLoader().load(LoadRequest("peer", source.read_bytes(), reuse=reuse))
        try:
            yield loaded.programs[name].fd
        finally:
            loaded.close()


def _measure(
    name: str, load: Callable[[], AbstractContextManager[int]], pods: tuple[Pod, Pod]
) -> float:
    """Load a program and time it on the node."""
    wanted = Verdict.REDIRECT if name == "tc" else Verdict.PASS
    with load() as program:
        return pods[0].node.call(_time, program, tcp_frame(*pods), pods[0].ifindex, wanted)


def _time(program: int, frame: bytes, ifindex: int, wanted: Verdict) -> float:
    """Nanoseconds a packet: of the fastest part, since whoever else uses the CPU only adds."""
    repeat = REPEATS // PARTS // (10 if quick() else 1)
    with pinned():
        runs = [run_tc(program, frame, ifindex=ifindex, repeat=repeat) for _ in range(PARTS)]
    if any(run.verdict is not wanted for run in runs):  # what fails early is fast
        raise BenchError(f"{wanted.name} was expected, not {runs[0].verdict.name}")
    return min(run.nanoseconds for run in runs)
