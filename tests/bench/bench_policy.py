# SPDX-License-Identifier: Apache-2.0
"""How long after a policy's file has changed the packets that it is about are refused.

On a node of 100 pods, which came by the CNI of a running agent, one policy selects all of them,
beside one for each of 20 apps. Its file is replaced, by turns, by one that no more allows a certain
pod, and by one that allows it again. That pod sends datagrams of one flow to another of the node
all the time, one in a tenth of a millisecond. A time is from just before the file takes its name to
the sending of the first datagram that does not arrive (or does); those behind it share its fate
until the next change.
"""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from tests.bench.agents import BenchAgent, call_cni
from tests.bench.compiling import compiled_program
from tests.bench.gated import Gated
from tests.bench.measure import quick
from tests.bench.results import Result
from tests.system.runtimes import Runtime

from axoneme.testing import Node

_PODS = 100
_APPS = 20
_CHANGES = 200
_QUICK_CHANGES = 20
#: Between two changes, at random: long enough for what the last one left to be cleared up.
_REST = 0.15, 0.25
_ISSUE = "network"
_POLICY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  podSelector: {selector}
  policyTypes: [Ingress]
  ingress:
  - from: [{{podSelector: {{matchLabels: {{app: {peer}}}}}}}]
    ports: [{{protocol: UDP, port: 9000}}]
  - from: [{{podSelector: {{matchLabels: {{app: app2}}}}}}, {{ipBlock: {{cidr: 192.168.0.0/16}}}}]
    ports: [{{protocol: TCP, port: 80}}, {{protocol: TCP, port: 443}}]
"""


def run() -> list[Result]:
    """Change a policy again and again, for few identities and for many; needs root."""
    with compiled_program("gate") as gate:
        return [*_rows(_measure(gate, _APPS), _APPS), *_rows(_measure(gate, _PODS), _PODS)]


def _rows(times: dict[bool, list[float]], identities: int) -> list[Result]:
    name = f"policy changed to enforced, {_PODS} endpoints, {identities} identities"
    refused = times[False]
    return [
        Result(name, median(refused), "ms", 5, issue=_ISSUE),
        Result(f"{name}, 95th percentile", quantiles(refused, n=20)[-1], "ms", issue=_ISSUE),
        Result(f"{name}, allowed again", median(times[True]), "ms", 5, issue=_ISSUE),
    ]


def _measure(gate: Path, identities: int) -> dict[bool, list[float]]:
    """Milliseconds until packets were refused (False), and until they were allowed (True)."""
    times: dict[bool, list[float]] = {False: [], True: []}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="axoneme-bench-")))
        agent = BenchAgent(stack.enter_context(Node()), directory)
        for number in range(_APPS):
            selector = f"{{matchLabels: {{app: app{number}}}}}"
            text = _POLICY.format(name=f"of-app{number}", selector=selector, peer=f"app{number}")
            agent.write_manifest(f"app{number}.yaml", text)
        _write(agent, allowing=True)
        runtime = stack.enter_context(Runtime(directory, agent.run_dir))
        stack.enter_context(agent)
        containers = [runtime.container() for _ in range(_PODS)]
        answers = [
            call_cni(runtime, "ADD", container, f"app{number % identities}")
            for number, container in enumerate(containers)
        ]
        sender, receiver, *_ = containers
        gated = stack.enter_context(Gated(gate, sender, receiver, answers[1].addresses[0]))
        gated.expect(arriving=True)
        for turn in range(_QUICK_CHANGES if quick() else _CHANGES):
            gated.expect_none(random.uniform(*_REST))
            allowing = bool(turn % 2)
            changed = _write(agent, allowing=allowing)
            times[allowing].append((gated.expect(arriving=allowing) - changed) / 1e6)
    return times


def _write(agent: BenchAgent, *, allowing: bool) -> int:
    """Replace the policy; when, in ns."""
    peer = "app0" if allowing else "nobody"
    return agent.write_manifest("all.yaml", _POLICY.format(name="all", selector="{}", peer=peer))
