# SPDX-License-Identifier: Apache-2.0
"""What two pods of a node notice of an agent that holds them to policies.

Both are selected by default denials in both directions, which allow what is measured here: from one
to the other, two ports. The rule sets are those that a running agent made of manifests, and flows
are tracked as by default. Beside them are two pods of another node, of the same kind of links, of
which the kernel alone carries the packets.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.bench.agents import BenchAgent
from tests.bench.compiling import compiled_program
from tests.bench.loads import PORT, STREAM_PORT, Load, stream, stream_served
from tests.bench.measure import in_turns, ratio
from tests.bench.results import BenchError, Result

from axoneme.model.labels import pod_labels
from axoneme.sources import EndpointRecord
from axoneme.testing import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.loads import Connecting

    from axoneme.testing import Pod

_ISSUE = "network"
_DENIED_PORT = 7779
_NAMESPACE = "shop"
_POLICIES = f"""apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: server, namespace: {_NAMESPACE}}}
spec:
  podSelector: {{matchLabels: {{app: server}}}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{{podSelector: {{matchLabels: {{app: client}}}}}}]
    ports: [{{protocol: TCP, port: {PORT}}}, {{protocol: TCP, port: {STREAM_PORT}}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: client, namespace: {_NAMESPACE}}}
spec:
  podSelector: {{matchLabels: {{app: client}}}}
  policyTypes: [Ingress, Egress]
  egress:
  - to: [{{podSelector: {{matchLabels: {{app: server}}}}}}]
    ports: [{{protocol: TCP, port: {PORT}}}, {{protocol: TCP, port: {STREAM_PORT}}}]
"""


def run() -> list[Result]:
    """Measure between pods with policies and between pods without; needs root and iperf3."""
    with ExitStack() as stack:
        load = Load(stack.enter_context(compiled_program("rr")))
        plain = stack.enter_context(Node(number=2))
        pairs = {"ours": _held(stack), "plain": (plain.add_pod(), plain.add_pod())}
        for _, server in pairs.values():
            stack.enter_context(load.served(server))
            stack.enter_context(stream_served(server))
        _check(*pairs["ours"])
        times = in_turns({n: partial(load.round_trip, c, s.ipv4) for n, (c, s) in pairs.items()})
        made = in_turns({n: partial(load.connecting, c, s.ipv4) for n, (c, s) in pairs.items()})
        streams = in_turns({n: partial(stream, c, s.ipv4) for n, (c, s) in pairs.items()})
        _check(*pairs["ours"])
    return [
        *_both("round trip with policies", times["ours"], times["plain"], "us", 1.02),
        *_connecting(made["ours"], made["plain"]),
        *_both("stream with policies", streams["ours"], streams["plain"], "Gbit/s", 0.97),
    ]


def _connecting(ours: Sequence[Connecting], plain: Sequence[Connecting]) -> list[Result]:
    found = []
    for name, what, unit, goal in (
        ("connect with policies", "median", "us", 1.12),
        ("connect with policies, 99th percentile", "p99", "us", 1.5),
        ("connections with policies", "a_second", "a second", 0.9),
    ):
        values = ([getattr(one, what) for one in several] for several in (ours, plain))
        found += _both(name, *values, unit, goal)
    return found


def _both(
    name: str, ours: Sequence[float], plain: Sequence[float], unit: str, goal: float
) -> list[Result]:
    """The ratio, with its goal, and what it is of."""
    at_least = goal < 1
    return [
        Result(f"{name}, of plain veth", ratio(ours, plain), "x", goal, at_least, _ISSUE),
        Result(name, median(ours), unit, issue=_ISSUE),
    ]


def _held(stack: ExitStack) -> tuple[Pod, Pod]:
    """A client and a server on a node with an agent, which policies select."""
    node = stack.enter_context(Node())
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="axoneme-bench-")))
    agent = BenchAgent(node, directory)
    agent.write_manifest("policies.yaml", _POLICIES)
    node.add_pod("first")  # a network's first address is no pod's
    client, server = node.add_pod("client"), node.add_pod("server")
    for pod in (client, server):
        agent.source.write(_record(agent, pod))
    stack.enter_context(agent)
    return client, server


def _record(agent: BenchAgent, pod: Pod) -> EndpointRecord:
    """A pod as the CNI writes it down, with its name as its app."""
    namespace = {"kubernetes.io/metadata.name": _NAMESPACE}
    labels = pod_labels(_NAMESPACE, {"app": pod.name}, namespace, "default", "default")
    return EndpointRecord(
        id=pod.number,
        name=pod.name,
        namespace=_NAMESPACE,
        ifname=pod.ifname,
        mac=pod.mac,
        addresses=pod.addresses,
        identity=agent.source.identities.of(labels),
        labels=labels,
        node="one",
    )


def _check(client: Pod, server: Pod) -> None:
    """See that the policies hold: a port that none allows is not reached."""
    with server.serve(_DENIED_PORT):
        if client.reaches(server.ipv4, _DENIED_PORT, timeout=0.5):
            raise BenchError("what no policy allows arrives: the pods are not held to any")
