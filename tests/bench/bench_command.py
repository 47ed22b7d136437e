# SPDX-License-Identifier: Apache-2.0
"""How long the command takes, from exec to its end: the agent runs on a node with 20 pods.

The interpreter may keep its byte code, as it does where the command is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench.measure import in_turns
from tests.bench.results import BenchError, Result

from axoneme.testing import Node
from axoneme.testing.agents import AgentProcess

PODS = 20
_ISSUE = "operate"
_TURNS = 15


def run() -> list[Result]:
    """Run the command beside an agent; needs root."""
    with TemporaryDirectory(prefix="axoneme-bench-") as folder, Node() as node:
        agent = AgentProcess(node, Path(folder))
        agent.configure(["tc"])
        for _ in range(PODS):
            agent.publish(node.add_pod())
        with agent:
            agent.wait_for(lambda: len(agent.endpoints()) == PODS, "the pods to be attached")
            measures = {
                "json": partial(_seconds, agent, "status", "-o", "json"),
                "table": partial(_seconds, agent, "status"),
            }
            for measure in measures.values():
                measure()
            found = in_turns(measures, _TURNS)
    return [
        _row("status -o json, process start included", found["json"], 150),
        _row("status as a table, process start included", found["table"], 150),
    ]


def _row(name: str, seconds: list[float], goal: float) -> Result:
    return Result(name, median(seconds) * 1e3, "ms", goal, issue=_ISSUE)


def _seconds(agent: AgentProcess, *words: str) -> float:
    """Seconds from exec to exit."""
    line = [sys.executable, "-m", "axoneme", *words, "--config", str(agent.config)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    done = subprocess.run(line, env=environment, capture_output=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise BenchError(f"{' '.join(words)}: {done.stderr.decode() or done.stdout.decode()}")
    return seconds
