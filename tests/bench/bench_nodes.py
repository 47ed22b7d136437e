# SPDX-License-Identifier: Apache-2.0
"""What two pods of two nodes notice: round trips by native routes and through the tunnel.

Beside them are two pods of two nodes of which the kernel alone carries the packets, over the same
kind of links. All are on one CPU, and by turns.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.compiling import compiled_program
from tests.bench.loads import Load
from tests.bench.measure import in_turns, ratio
from tests.bench.results import BenchError, Result
from tests.system.cluster import Cluster

from axoneme.testing import Node, join

if TYPE_CHECKING:
    from axoneme.testing import Pod

_ROUND_TRIPS = 30_000
_ISSUE = "network"


def run() -> list[Result]:
    """Measure between pods of two nodes; needs root."""
    with compiled_program("rr") as rr, ExitStack() as stack:
        pairs = {"plain": _plain(stack)}
        clusters = {mode: stack.enter_context(Cluster(mode)) for mode in ("native", "tunnel")}
        for mode, cluster in clusters.items():
            pairs[mode] = cluster.add_pod(1, identity=1001), cluster.add_pod(2, identity=1002)
        load = Load(rr, _ROUND_TRIPS)
        for _, server in pairs.values():
            stack.enter_context(load.served(server))
        found = in_turns({n: partial(load.round_trip, c, s.ipv4) for n, (c, s) in pairs.items()})
        for mode, cluster in clusters.items():
            _check(mode, cluster)
    plain = found["plain"]
    return [
        _result("by native routing, of plain veth", ratio(found["native"], plain), "x", 1.05),
        _result("through the tunnel, of plain veth", ratio(found["tunnel"], plain), "x"),
        _result("by native routing", median(found["native"]), "us"),
        _result("on plain veth", median(plain), "us"),
    ]


def _result(how: str, value: float, unit: str, goal: float | None = None) -> Result:
    return Result(f"round trip between two nodes' pods {how}", value, unit, goal, issue=_ISSUE)


def _plain(stack: ExitStack) -> tuple[Pod, Pod]:
    """Two pods of two nodes that know nothing of us."""
    first, second = (stack.enter_context(Node(number=n)) for n in (1, 2))
    join(first, second)
    return first.add_pod(), second.add_pod()


def _check(mode: str, cluster: Cluster) -> None:
    """See that what was measured went by our programs."""
    trunk = "from_overlay" if mode == "tunnel" else "from_uplink"
    if not cluster.counted(2, trunk, "REDIRECT"):
        raise BenchError(f"{mode}: nothing was delivered by {trunk}")
