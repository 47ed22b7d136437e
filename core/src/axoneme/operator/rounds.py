# SPDX-License-Identifier: Apache-2.0
"""Rounds: read nodes and pools, ask for a plan, write what it says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.agent.metrics import Durations
from axoneme.errors import AxonemeError
from axoneme.model import IpamCluster

from .assigning import Assigner, orders
from .planning import Planned, ask_for_plan, tell_of_stranded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.host import PluginHost
    from axoneme.model import Network
    from axoneme.sources import EmbeddedSource, Leadership, NodesRead
    from axoneme.sources.manifests import ManifestReader

    from .assigning import Order

_log = logging.getLogger(__name__)
#: After so many writes others may be answered.
_IN_A_ROW = 32


@define
class Rounds:
    """The leader's work, with what the last round found and what all of them have done."""

    host: PluginHost
    source: EmbeddedSource
    manifests: ManifestReader
    leadership: Leadership
    planned: Planned = field(factory=Planned, init=False)
    nodes: int = field(default=0, init=False)
    #: What is wrong with the cluster, as the last round found it.
    problems: tuple[str, ...] = field(default=(), init=False)
    seconds: float = field(default=0.0, init=False)
    durations: Durations = field(factory=Durations, init=False)
    outcomes: Counter[str] = field(factory=Counter, init=False)

    async def run(self) -> None:
        """Do one round, while we lead."""
        started = time.perf_counter()
        nodes, manifests = self.source.nodes.read(), self.manifests.read()
        cluster = IpamCluster(nodes.records, manifests.pools, nodes.taken)
        planned = ask_for_plan(self.host, cluster)
        problems = [*map(str, (*nodes.problems, *manifests.problems)), *planned.problems]
        if planned.plan is not None:
            problems += planned.plan.problems
            if planned.plan.stranded:
                endpoints = self.source.read().records
                problems += tell_of_stranded(planned.plan.stranded, endpoints)
            assigner = Assigner(self.source.nodes, _held(nodes))
            problems += await self._carry_out(assigner, [*orders(planned.plan, nodes.records)])
        self.planned, self.nodes = planned, len(nodes.records)
        self.problems = tuple(dict.fromkeys(problems))
        self.seconds = time.perf_counter() - started
        self.durations.observe(self.seconds)

    async def _carry_out(self, assigner: Assigner, wanted: list[Order]) -> list[str]:
        """Write to one node after the other, for as long as we lead; what was refused."""
        refused: list[str] = []
        for number, order in enumerate(wanted, 1):
            if not self.leadership.leads():
                break
            found = self._write(assigner, order)
            refused += found
            self.outcomes["refused" if found else "written"] += 1
            if number % _IN_A_ROW == 0:
                await asyncio.sleep(0)
        return refused

    @staticmethod
    def _write(assigner: Assigner, order: Order) -> list[str]:
        try:
            return assigner.carry_out(order)
        except (AxonemeError, OSError) as error:
            return [f"node {order.node} cannot be written: {error}"]
        except Exception as error:  # noqa: BLE001 - the other nodes are to get theirs all the same
            _log.exception("what is planned for node %s cannot be written", order.node)
            reason = f"{type(error).__name__}: {error}"
            return [f"node {order.node} cannot get what is planned: {reason}"]


def _held(nodes: NodesRead) -> Iterator[tuple[Network, str]]:
    for record in nodes.records:
        for network in record.networks:
            yield network, record.name
    for network in nodes.taken:
        yield network, "a node whose file is wrong"
