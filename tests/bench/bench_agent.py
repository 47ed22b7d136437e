# SPDX-License-Identifier: Apache-2.0
"""How long an agent takes from exec until every endpoint of its node is attached.

The agent is the command that people run, on a node with 100 pods whose state is on disk. Once it
starts on a bare node, once where an earlier agent has left its pins.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from subprocess import PIPE, STDOUT
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.bench.measure import in_turns
from tests.bench.processes import wait_for
from tests.bench.results import BenchError, Result

from axoneme._bpf import lib
from axoneme.datapath.pins import open_pin
from axoneme.sources import EmbeddedSource, EndpointRecord
from axoneme.testing import Node

if TYPE_CHECKING:
    from axoneme.testing import Pod

PODS = 100
_FIRST_IDENTITY = 1000
_PLACES = 2 * PODS
_READY = "ready: "
_SECONDS = 30


def run() -> list[Result]:
    """Start agents on a node of 100 pods; needs root."""
    with TemporaryDirectory(prefix="axoneme-bench-") as folder, Node() as node:
        config = _configure(node, Path(folder))
        source = EmbeddedSource(Path(folder) / "state")
        source.create()
        for _ in range(PODS):
            source.write(_record(node.add_pod()))
        again = partial(_start, node, config)
        again()
        found = in_turns({"bare": partial(again, bare=True), "again": again})
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
        node.call(_clear, node.bpffs / "axoneme")
    words = [sys.executable, "-m", "axoneme", "agent", "--config", str(config)]
    started = time.perf_counter()
    with node.popen(words, stdout=PIPE, stderr=STDOUT, text=True) as agent:
        wait_for(agent, _READY)
        seconds = time.perf_counter() - started
        links = len(node.call(_pins, node.bpffs / "axoneme" / "links"))
        agent.terminate()
        agent.wait(_SECONDS)
    if links != _PLACES:
        raise BenchError(f"the agent attached {links} programs, not {_PLACES}")
    return seconds


def _clear(root: Path) -> None:
    """Detach and forget all that an agent has left; unpinned links would be detached later."""
    for path in _pins(root / "links"):
        link = open_pin(path)
        lib.bpf_link_detach(link)
        os.close(link)
        path.unlink()
    for path in _pins(root / "maps"):
        path.unlink()


def _pins(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
