# SPDX-License-Identifier: Apache-2.0
"""Addresses: how long the operator of a large cluster takes, and a pod waits for its own.

The operator is timed from exec until all is allocated. What a pod waits for is a node's part of
its ADD, without the wiring: the plugin's hooks, the ledger, and what is written for it. It is
timed in a process of its own datapath and state directory, in the loop that an agent has.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.measure import pinned
from tests.bench.results import BenchError, Result

from axoneme.agent.cluster import Cluster
from axoneme.agent.ipam import PodIpam
from axoneme.cni import Attachments
from axoneme.model import NodeIpam, NodeRecord, PoolDemand
from axoneme.sources import EmbeddedSource
from axoneme.testing import Node
from axoneme.testing.operators import OperatorProcess
from axoneme.testing.pipelines import Pipeline

NODES = 5_000
POOLS = 100
#: Pods that a node has before others are timed, that come one by one, and at once.
PRESENT, SINGLE, AT_ONCE = 100, 300, 100
_ISSUE = "ipam"
_NEEDED = 8
_PAUSE = 0.05
#: Where in /proc/<pid>/stat, behind the name, the times in user and in kernel mode are.
_TIMES = slice(11, 13)
_POOL = """\
---
apiVersion: cilium.io/v2
kind: CiliumPodIPPool
metadata:
  name: {name}
spec:
  ipv4:
    cidrs: ["{cidr}"]
    maskSize: 26
"""


def run() -> list[Result]:
    """Run both; needs root."""
    return [*_operator(), *_pods()]


def _pods() -> list[Result]:
    """Give addresses of both families to pods of a node that has some."""
    with TemporaryDirectory(prefix="axoneme-bench-") as folder, Node() as node:
        directory = Path(folder)
        source = EmbeddedSource(directory / "state")
        source.create()
        spec = {"podCIDRs": [str(network) for network in node.pod_networks]}
        manifest = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"}, "spec": spec}
        (directory / "node.json").write_text(json.dumps(manifest))
        keys = f'node-name = "one"\nmanifests-dir = "{folder}"\nstate-dir = "{source.state}"\n'
        with Pipeline(node, ["tc", "ipam"], f'{keys}[ipam]\nmode = "kubernetes"\n') as pipeline:
            cluster = node.call(Cluster.open, pipeline.engine, source)
            ipam = node.call(PodIpam.open, cluster, Attachments(directory / "attachments"))
            single, longest = node.call(asyncio.run, _allocate(ipam))
    return [
        Result("allocation inside ADD, median", single * 1e3, "ms", 1, issue=_ISSUE),
        Result(
            f"longest wait of {AT_ONCE} concurrent ADDs for an address",
            longest * 1e3,
            "ms",
            200,
            issue=_ISSUE,
        ),
    ]


async def _allocate(ipam: PodIpam) -> tuple[float, float]:
    """Seconds: the median of pods that come one by one, the longest of those that come at once.

    The latter all count from when the first of them asks.
    """
    ipam.cluster.sync_nodes()
    ipam.sync()
    for number in range(PRESENT):
        await _timed(ipam, f"present{number}")
    single = [await _timed(ipam, f"single{number}") for number in range(SINGLE)]
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_timed(ipam, f"many{n}", start)) for n in range(AT_ONCE)]
    usage = ipam.ledger.usage()
    if len(usage.used) != 2 * (PRESENT + SINGLE + AT_ONCE):
        raise BenchError(f"{len(usage.used)} addresses are in use")
    return median(single), max(task.result() for task in tasks)


async def _timed(ipam: PodIpam, name: str, start: float | None = None) -> float:
    before = time.perf_counter() if start is None else start
    await ipam.allocate(f"{name}/eth0", ("default", name), {}, ())
    return time.perf_counter() - before


def _operator() -> list[Result]:
    """Start an operator for nodes that each need addresses of one of the pools."""
    with TemporaryDirectory(prefix="axoneme-bench-") as folder:
        directory = Path(folder)
        source = EmbeddedSource(directory / "state")
        source.create()
        _make_nodes(source)
        manifests = directory / "manifests"
        _make_pools(manifests)
        operator = OperatorProcess(directory / "operator", source.state)
        operator.configure(
            ["ipam"], f'manifests-dir = "{manifests}"\n[ipam]\nmode = "multi-pool"\n'
        )
        started = time.perf_counter()
        with pinned(), operator:
            operator.wait_for(lambda: _status(operator)["rounds"], "all nodes to have networks")
            seconds, processor = time.perf_counter() - started, _processor(operator)
            # What it wrote is read once more: that is when it has the most.
            operator.wait_for(lambda: _status(operator)["rounds"] > 1, "a second round")
            peak = _peak(operator)
        _check(source)
    what = f"{NODES} nodes and {POOLS} pools"
    return [
        Result(f"operator start to allocated, {what}", seconds, "s", 5, issue=_ISSUE),
        Result(f"CPU time of that, {what}", processor, "s", issue=_ISSUE),
        Result(f"peak memory of the operator, {what}", peak, "MB", 150, issue=_ISSUE),
    ]


def _make_nodes(source: EmbeddedSource) -> None:
    first = IPv4Address("172.16.0.0")
    for number in range(1, NODES + 1):
        demand = PoolDemand(f"pool{number % POOLS}", _NEEDED)
        record = NodeRecord(f"node{number}", (first + number,), NodeIpam(requested=(demand,)))
        source.nodes.write(record)


def _make_pools(directory: Path) -> None:
    directory.mkdir()
    cidrs = ip_network("10.0.0.0/8").subnets(new_prefix=18)
    pools = [_POOL.format(name=f"pool{n}", cidr=next(cidrs)) for n in range(POOLS)]
    (directory / "pools.yaml").write_text("".join(pools))


def _status(operator: OperatorProcess) -> dict[str, Any]:
    """What it says, asked so seldom that it is not held up."""
    time.sleep(_PAUSE)
    found: dict[str, Any] = operator.ask("status")
    if found["problems"]:
        raise BenchError(f"the operator has problems: {found['problems'][:3]}")
    return found


def _peak(operator: OperatorProcess) -> float:
    """The most memory that it had, in MB."""
    assert operator.process is not None
    lines = Path(f"/proc/{operator.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def _processor(operator: OperatorProcess) -> float:
    """The seconds of a processor that it has had."""
    assert operator.process is not None
    fields = Path(f"/proc/{operator.process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[_TIMES])) / os.sysconf("SC_CLK_TCK")


def _check(source: EmbeddedSource) -> None:
    read = source.nodes.read()
    networks = [network for record in read.records for network in record.networks]
    if read.problems or not len(networks) == len(set(networks)) == NODES:
        raise BenchError(f"{len(set(networks))} networks for {NODES} nodes: {read.problems[:3]}")
