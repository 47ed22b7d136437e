# SPDX-License-Identifier: Apache-2.0
"""How long a container runtime waits for a pod, and what an agent with 100 of them takes up.

The pods are of 20 apps, each of which has an identity. The executable that `axoneme cni install`
makes is started for each, as a runtime does, and asks the agent that people run. A time is from
exec to its end: by then the pod has its link, addresses, routes, programs and policy, and a probe
has gone through them. The network namespaces are there before, since runtimes make them.

Memory is VmRSS of the agent's process, its libraries included and the kernel's maps not, with all
pods there: the largest of the turns, of one and the same agent.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.bench.agents import BenchAgent, call_cni
from tests.bench.measure import quick
from tests.bench.results import BenchError, Result
from tests.system.runtimes import Runtime

from axoneme.testing import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.runtimes import Container

_PODS = 100
_APPS = 20
_TURNS = 5
_QUICK_TURNS = 1
_ISSUE = "network"


def run() -> list[Result]:
    """Add and remove 100 pods in turns; needs root."""
    adds, rows, dels, resident = [], [], [], []
    with TemporaryDirectory(prefix="axoneme-bench-") as folder, Node() as node:
        directory = Path(folder)
        with BenchAgent(node, directory) as agent, Runtime(directory, agent.run_dir) as runtime:
            containers = [runtime.container() for _ in range(_PODS)]
            for _ in range(_QUICK_TURNS if quick() else _TURNS):
                times, row = _each(runtime, "ADD", containers)
                adds += times
                rows.append(row)
                _check(agent, _PODS)
                resident.append(agent.resident())
                dels += _each(runtime, "DEL", containers)[0]
                _check(agent, 0)
    return [
        _result("CNI ADD, whole process", median(adds) * 1e3, "ms", 60),
        _result(f"CNI ADD, {_PODS} pods in a row", median(rows), "s", 8),
        _result("CNI ADD, 99th percentile", sorted(adds)[len(adds) * 99 // 100] * 1e3, "ms"),
        _result("CNI DEL, whole process", median(dels) * 1e3, "ms"),
        _result(f"agent with {_PODS} endpoints, resident", max(resident), "MB", 80),
    ]


def _result(name: str, value: float, unit: str, goal: float | None = None) -> Result:
    return Result(name, value, unit, goal, issue=_ISSUE)


def _each(
    runtime: Runtime, command: str, containers: Sequence[Container]
) -> tuple[list[float], float]:
    """Seconds that a command takes for each container, one after the other, and for all."""
    times, started = [], time.perf_counter()
    for number, container in enumerate(containers):
        before = time.perf_counter()
        call_cni(runtime, command, container, f"app{number % _APPS}")
        times.append(time.perf_counter() - before)
    return times, time.perf_counter() - started


def _check(agent: BenchAgent, pods: int) -> None:
    """See that the pods are attached or gone."""
    found = len(agent.endpoints())
    if found != pods:
        raise BenchError(f"the agent has {found} endpoints, not {pods}")
