# SPDX-License-Identifier: Apache-2.0
"""How long an agent takes from exec until every endpoint of its node is attached.

The agent is the command that people run, on a node with 100 pods whose state is on disk. Once it
starts on a bare node, once where an earlier agent has left its pins.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from subprocess import PIPE, STDOUT
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from axoneme.sources import EmbeddedSource, EndpointRecord
from axoneme.testing import Node
from tests.bench.measure import in_turns
from tests.bench.results import BenchError, Result

if TYPE_CHECKING:
    from axoneme.testing import Pod

PODS = 100
_FIRST_IDENTITY = 1000
_PLACES = 2 * PODS
_READY = "ready: "
_SECONDS = 30


def run() -> list[Result]:
    """Start agents on a node of 100 pods; needs root."""
    with TemporaryDirectory(prefix="axoneme-bench-") as folder, Node("bench-agent") as node:
        config = _configure(node, Path(folder))
        source = EmbeddedSource(Path(folder) / "state")
        source.create()
        for _ in range(PODS):
            source.write(_record(node.add_pod()))
        # A start that finds nothing leaves the pins that the next one finds.
        measures = {"bare": partial(_start, node, config, bare=True), "again": partial(_start, node, config)}
        found = in_turns(measures)
    return [
        Result(f"agent start to attached, {PODS} pods", median(found["bare"]), "s", goal=1),
        Result("the same where an earlier agent left its pins", median(found["again"]), "s"),
    ]


def _configure(node: Node, folder: Path) -> Path:
    config = folder / "axoneme.toml"
    config.write_text(
        f"""[agent]
plugins = ["tc"]
bpffs = "{node.bpffs}"
cgroup = "{node.cgroup}"
state-dir = "{folder / "state"}"
run-dir = "{folder / "run"}"
"""
    )
    return config


def _record(pod: Pod) -> EndpointRecord:
    return EndpointRecord(
        id=pod.number,
        name=pod.name,
        namespace="default",
        ifname=pod.ifname,
        mac=pod.mac,
        addresses=pod.addresses,
        identity=_FIRST_IDENTITY + pod.number,
    )


def _start(node: Node, config: Path, *, bare: bool = False) -> float:
    """Seconds from exec to attached."""
    if bare:
        node.call(_remove_pins, node.bpffs / "axoneme")
    words = [sys.executable, "-m", "axoneme", "agent", "--config", config]
    started = time.perf_counter()
    with node.popen(words, stdout=PIPE, stderr=STDOUT, text=True) as agent:
        seconds = _wait(agent, started)
        links = node.call(_count, node.bpffs / "axoneme" / "links")
        agent.terminate()
        agent.wait(_SECONDS)
    if links != _PLACES:
        raise BenchError(f"the agent attached {links} programs, not {_PLACES}")
    return seconds


def _wait(agent: object, started: float) -> float:
    lines = []
    for line in agent.stdout:
        if _READY in line:
            return time.perf_counter() - started
        lines.append(line)
    raise BenchError(f"the agent ended before it was ready: {''.join(lines)}")


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def _remove_pins(root: Path) -> None:
    """Detach and forget all that an agent has left."""
    for folder in (root / "links", root / "maps"):
        if folder.is_dir():
            for pin in folder.iterdir():
                pin.unlink()
