# SPDX-License-Identifier: Apache-2.0
"""The operator's metrics: their catalogue, which the documentation reads, and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from axoneme.agent.metrics import Described

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from axoneme.operator.operator import Operator

_Samples: TypeAlias = "Iterable[tuple[tuple[str, ...], Any]]"
_ALL: Final = (
    Described("axoneme_operator_leading", "gauge", "1 for the operator that leads, 0 for others"),
    Described(
        "cilium_operator_ipam_nodes",
        "gauge",
        "Nodes: total, and in-deficit, which need networks that no pool has",
        ("category",),
    ),
    Described(
        "axoneme_operator_ipam_parts",
        "gauge",
        "Networks that nodes can get of a pool: given or free",
        ("pool", "family", "status"),
    ),
    Described(
        "cilium_operator_ipam_resync",
        "counter",
        "Rounds in which nodes and pools were compared with the plan",
    ),
    Described("axoneme_operator_ipam_round_seconds", "histogram", "How long rounds took"),
    Described(
        "axoneme_operator_ipam_assignments",
        "counter",
        "Nodes that a round wrote to, or refused a part of the plan to",
        ("outcome",),
    ),
    Described("axoneme_operator_problems", "gauge", "Problems that the operator's status tells of"),
)
CATALOG: Final = {one.name: one for one in _ALL}


def exposition(operator: Operator) -> str:
    """All of them as text."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(operator))
    return generate_latest(registry).decode()


class _Collector:
    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        for name, samples in _samples(self._operator):
            yield CATALOG[name].family(samples)


def _samples(operator: Operator) -> Iterator[tuple[str, _Samples]]:
    """Only who leads tells of the cluster: sums over operators are right."""
    leading, rounds = bool(operator.since), operator.rounds
    plan = rounds.planned.plan if leading else None
    yield "axoneme_operator_leading", [((), int(leading))]
    nodes = {"total": rounds.nodes, "in-deficit": len(plan.errors) if plan else 0}
    yield "cilium_operator_ipam_nodes", [((k,), n) for k, n in nodes.items() if leading]
    yield (
        "axoneme_operator_ipam_parts",
        [
            ((one.pool, f"ipv{one.version}", status), number)
            for one in (plan.pools if plan else ())
            for status, number in (("given", one.given), ("free", one.free))
        ],
    )
    yield "cilium_operator_ipam_resync", [((), rounds.durations.count)]
    yield "axoneme_operator_ipam_round_seconds", [((), rounds.durations)]
    yield (
        "axoneme_operator_ipam_assignments",
        [((outcome,), rounds.outcomes[outcome]) for outcome in ("written", "refused")],
    )
    yield "axoneme_operator_problems", [((), len(rounds.problems))]
