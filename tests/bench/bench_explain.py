# SPDX-License-Identifier: Apache-2.0
"""How long it takes until an agent has explained what becomes of a packet, and why.

In a lab of two nodes with a tunnel, where many policies select the pod that is asked for: the
nearest misses of a denial are looked for in the rules of all. The question is asked at the agent's
socket, so that the start of the command's process is not in it.
"""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.bench.measure import in_turns
from tests.bench.results import BenchError, Result

from axoneme.lab import Lab, Settings
from axoneme.lab.manifests import apply

if TYPE_CHECKING:
    from axoneme.lab.node import LabNode

_GOAL = 100.0
_POLICIES = 100
_SECONDS = 30.0
_TARGET = "server:8080"
_POLICY = """---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: p{number}, namespace: default}}
spec:
  podSelector: {{matchLabels: {{app: server}}}}
  ingress:
  - from: [{{podSelector: {{matchLabels: {{app: app{number}}}}}}}]
    ports: [{{port: 8080}}, {{port: {number}, protocol: UDP}}]
"""
#: Who asks, on which node, and what becomes of it.
_PODS = {
    "friend": ("node1", "app1", "allowed"),
    "far-friend": ("node2", "app1", "allowed"),
    "far-stranger": ("node2", "stranger", "dropped"),
}
_ROWS = {
    "friend": "allowed, on one node",
    "far-friend": "allowed, through the tunnel",
    "far-stranger": f"dropped behind the tunnel, {_POLICIES} policies",
}


def run() -> list[Result]:
    """Ask again and again; needs root."""
    lab = Lab(f"x{os.getpid()}")
    lab.up(Settings(nodes=2, routing_mode="tunnel"))
    try:
        _fill(lab)
        node = lab.node("node1")
        found = in_turns({name: partial(_ask, node, name) for name in _PODS})
    finally:
        lab.down()
    return [
        Result(f"explained: {_ROWS[name]}", median(times), "ms", _GOAL, issue="operate")
        for name, times in found.items()
    ]


def _fill(lab: Lab) -> None:
    """Make pods and policies, and wait until these are in effect."""
    lab.add_pod("server", node="node1", labels={"app": "server"})
    for name, (node, app, _) in _PODS.items():
        lab.add_pod(name, node=node, labels={"app": app})
    with TemporaryDirectory(prefix="axoneme-bench-") as directory:
        file = Path(directory, "policies.yaml")
        file.write_text("".join(_POLICY.format(number=n) for n in range(1, _POLICIES + 1)))
        apply(lab, file)
    end = time.monotonic() + _SECONDS
    while any(_answer(lab.node("node1"), pod)["verdict"] != v for pod, (_, _, v) in _PODS.items()):
        if time.monotonic() > end:
            raise BenchError("the policies are not in effect")
        time.sleep(0.1)


def _ask(node: LabNode, source: str) -> float:
    """Milliseconds until the answer."""
    started = time.perf_counter()
    answer = _answer(node, source)
    seconds = time.perf_counter() - started
    if answer["verdict"] != _PODS[source][2]:
        raise BenchError(f"{source}: {answer['verdict']}, {answer['words']}")
    return seconds * 1000


def _answer(node: LabNode, source: str) -> dict[str, Any]:
    found: dict[str, Any] = node.ask("explain", source=source, target=_TARGET)
    return found
