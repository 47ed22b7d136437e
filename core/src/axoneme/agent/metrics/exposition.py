# SPDX-License-Identifier: Apache-2.0
"""The metrics of an agent as Prometheus reads them: what was counted, and what is there now."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from axoneme.datapath import EventType, Verdict, all_stages
from axoneme.host import Status
from axoneme.model.identity import FIRST_OF_CIDRS, FIRST_OF_LABELS, Reserved
from axoneme.model.policy import Direction

from .catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client import Metric

    from axoneme.agent.agent import Agent
    from axoneme.agent.cluster import Cluster
    from axoneme.agent.ipam import PodIpam
    from axoneme.datapath import Datapath, Usage

_Samples: TypeAlias = "Iterable[tuple[tuple[str, ...], Any]]"
_INGRESS, _EGRESS = "INGRESS", "EGRESS"
#: By trunk, as the pod or the node sees it.
_DIRECTIONS: Final = {
    "xdp_ingress": _INGRESS,
    "from_pod": _EGRESS,
    "to_pod": _INGRESS,
    "from_uplink": _INGRESS,
    "to_uplink": _EGRESS,
    "from_overlay": _INGRESS,
    "to_overlay": _EGRESS,
}
_OF_PODS: Final = frozenset({"from_pod", "to_pod"})
_PASSED: Final = frozenset({Verdict.PASS, Verdict.REDIRECT, Verdict.TO_PROXY})


def exposition(agent: Agent) -> str:
    """All metrics of core, then those of the plugins, as text."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(agent))
    return generate_latest(registry).decode()


class _Collector:
    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        agent = self._agent
        datapath = agent.engine.datapath
        parts = (
            _packets(datapath),
            _programs(agent),
            _maps(agent.filling.usage),
            _cluster(agent.cluster),
            _addresses(agent.ipam),
            agent.measures.families(),
        )
        for part in parts:
            for name, samples in part:
                yield CATALOG[name].family(samples)
        for metrics in agent.engine.host.hooks.axoneme_metrics(datapath=datapath).values():
            yield from metrics


def _packets(datapath: Datapath) -> Iterator[tuple[str, _Samples]]:
    counts, drops = datapath.counts(), datapath.drops()
    sides: dict[str, list[int]] = {_EGRESS: [0, 0], _INGRESS: [0, 0]}
    for count in counts:
        if count.trunk in _OF_PODS and count.verdict in _PASSED:
            side = sides[_DIRECTIONS[count.trunk]]
            side[0] += count.packets
            side[1] += count.bytes
    yield "cilium_forward_count", [((name,), side[0]) for name, side in sides.items()]
    yield "cilium_forward_bytes", [((name,), side[1]) for name, side in sides.items()]
    packets: Counter[tuple[str, ...]] = Counter()
    size: Counter[tuple[str, ...]] = Counter()
    for drop in drops:
        labels = drop.reason.text, _DIRECTIONS.get(drop.trunk, _EGRESS)
        packets[labels] += drop.packets
        size[labels] += drop.bytes
    yield "cilium_drop_count", packets.items()
    yield "cilium_drop_bytes", size.items()
    yield "axoneme_verdicts", [((c.trunk, c.verdict.name.lower()), c.packets) for c in counts]
    yield (
        "axoneme_drops",
        [((d.trunk, d.reason.text, d.reason.owner), d.packets) for d in drops],
    )
    yield from _events(datapath)


def _events(datapath: Datapath) -> Iterator[tuple[str, _Samples]]:
    fates: Counter[tuple[str, ...]] = Counter()
    for count in datapath.event_counts():
        for fate in ("sent", "lost", "limited"):
            fates[count.type.name.lower(), fate] += getattr(count, fate)
    yield "axoneme_events", fates.items()
    limited = [((t.name.lower(),), fates[t.name.lower(), "limited"]) for t in EventType]
    yield "cilium_bpf_ratelimit_dropped", limited


def _programs(agent: Agent) -> Iterator[tuple[str, _Samples]]:
    from axoneme import __version__

    engine, datapath = agent.engine, agent.engine.datapath
    lanes, programs = datapath.assembly.lanes, sorted(datapath.assembly.programs.items())
    yield "axoneme_lanes", [((stage,), len(lanes.get(stage, ()))) for stage in all_stages()]
    statuses = Counter(state.status for state in engine.host.plugins())
    yield "axoneme_plugins", [((str(status),), statuses[status]) for status in Status]
    yield "axoneme_verified_instructions", [((n,), p.instructions) for n, p in programs]
    yield "axoneme_verifier_seconds", [((n,), p.microseconds / 1e6) for n, p in programs]
    images = sorted(datapath.assembly.images.items())
    yield "axoneme_link_seconds", [((n,), i.linked.link_seconds) for n, i in images]
    yield "axoneme_load_seconds", [((n,), i.loaded.load_seconds) for n, i in images]
    yield "axoneme_drift", [((), len(datapath.drift()))]
    yield "axoneme_problems", [((), len(agent.notes.problems))]
    yield "cilium_version", [((__version__, "", os.uname().machine), 1)]


def _maps(usage: Mapping[str, Usage]) -> Iterator[tuple[str, _Samples]]:
    counted = [(name, one) for name, one in usage.items() if one.pressure is not None]
    yield "cilium_bpf_map_pressure", [((name,), one.pressure) for name, one in counted]
    yield "cilium_bpf_map_capacity", [((name,), one.max_entries) for name, one in counted]


def _cluster(cluster: Cluster) -> Iterator[tuple[str, _Samples]]:
    attached = cluster.engine.datapath.endpoints
    own = cluster.own_endpoints()
    ready = sum(record.id in attached for record in own)
    yield "cilium_endpoint", [((), len(attached))]
    yield (
        "cilium_endpoint_state",
        [(("ready",), ready), (("not-attached",), len(own) - ready)],
    )
    resolver = cluster.policies.resolver
    known = [n for n in resolver.identities if FIRST_OF_LABELS <= n < FIRST_OF_CIDRS]
    numbers = {
        "reserved": len(Reserved),
        "cluster_local": len(known),
        "node_local": len(resolver.cidr_numbers.numbers),
    }
    yield "cilium_identity", [((kind,), number) for kind, number in numbers.items()]
    yield "cilium_policy", [((), len(cluster.manifests.policies))]
    yield "axoneme_rule_sets", [((), len(resolver.rule_sets))]
    enforced = Counter(_enforcement(cluster, record.identity) for record in own)
    kinds = ("none", "ingress", "egress", "both")
    yield (
        "cilium_policy_endpoint_enforcement_status",
        [((kind,), enforced[kind]) for kind in kinds],
    )
    yield "axoneme_nodes", [((), 1 + len(cluster.engine.network.others))]


def _addresses(ipam: PodIpam) -> Iterator[tuple[str, _Samples]]:
    networks = ipam.ledger.usage().networks
    yield "cilium_ipam_capacity", _by_family((n.network.version, n.size) for n in networks)
    yield "cilium_ip_addresses", _by_family((n.network.version, n.used) for n in networks)
    events = ipam.ledger.events
    yield "cilium_ipam_events", [((a, f"ipv{v}"), n) for (a, v), n in sorted(events.items())]
    states: Counter[tuple[str, ...]] = Counter()
    for one in networks:
        for state, number in (("used", one.used), ("resting", one.resting), ("free", one.free)):
            states[one.pool, f"ipv{one.network.version}", state] += number
    yield "axoneme_ipam_pool_addresses", states.items()


def _by_family(numbers: Iterable[tuple[int, int]]) -> _Samples:
    sums: Counter[int] = Counter()
    for version, number in numbers:
        sums[version] += number
    return [((f"ipv{version}",), number) for version, number in sorted(sums.items())]


def _enforcement(cluster: Cluster, identity: int) -> str:
    rule_set = cluster.policies.resolver.rule_sets.get(identity or Reserved.INIT)
    if rule_set is None:
        return "none"
    closed = [d.name.lower() for d in Direction if rule_set.default_deny(d)]
    return closed[0] if len(closed) == 1 else ("both" if closed else "none")
