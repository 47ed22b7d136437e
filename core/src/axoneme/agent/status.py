# SPDX-License-Identifier: Apache-2.0
"""What the agent says of itself, as plain values."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from attrs import asdict

from axoneme.agent.findings import find_problems
from axoneme.datapath import trunk
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from axoneme.agent.agent import Agent
    from axoneme.agent.cluster import Cluster
    from axoneme.agent.engine import Engine
    from axoneme.agent.ipam import PodIpam
    from axoneme.agent.node_network import NodeNetwork
    from axoneme.datapath import Datapath, Usage


def describe(agent: Agent) -> dict[str, Any]:
    """The whole status, as JSON takes it."""
    datapath = agent.engine.datapath
    usage = agent.filling.usage
    findings = find_problems(agent, usage)
    return {
        "ok": not findings,
        "pid": os.getpid(),
        "seconds": round(time.monotonic() - agent.started, 3),
        "config": str(agent.reloading.path),
        "kernel": os.uname().release,
        "node": describe_node(agent.cluster, agent.ipam),
        "network": describe_network(agent.engine.network),
        "plugins": describe_plugins(agent.engine),
        "trunks": describe_trunks(datapath),
        "endpoints": [
            {
                "id": e.id,
                "name": str(e),
                "device": e.ifname,
                "identity": e.identity,
                "addresses": [str(address) for address in e.addresses],
            }
            for e in datapath.endpoints.values()
        ],
        "drops": [
            {
                "trunk": drop.trunk,
                "reason": drop.reason.name,
                "number": drop.reason.number,
                "owner": drop.reason.owner,
                "text": drop.reason.text,
                "packets": drop.packets,
                "bytes": drop.bytes,
            }
            for drop in datapath.drops()
        ],
        "attachments": describe_attachments(datapath),
        "maps": describe_maps(usage),
        "drift": [str(drift) for drift in datapath.drift()],
        "events": agent.observing.describe(),
        "problems": agent.notes.problems,
        "errors": [
            {"text": text, "seconds": round(seconds, 1)}
            for text, seconds in agent.notes.ages().items()
        ],
        "findings": [asdict(finding) for finding in findings],
    }


def describe_maps(usage: Mapping[str, Usage]) -> dict[str, dict[str, Any]]:
    """How full the maps were, and how many seconds ago they were counted."""
    now = time.monotonic()
    return {
        name: {
            "used": one.used,
            "max": one.max_entries,
            "pressure": one.pressure,
            "seconds": None if one.counted is None else round(now - one.counted, 1),
        }
        for name, one in usage.items()
    }


def describe_node(cluster: Cluster, ipam: PodIpam) -> dict[str, Any]:
    """What the cluster knows this node as, and the addresses that it gives to pods."""
    record = cluster.record
    return {
        "name": record.name,
        "cluster": cluster.cluster_name,
        "id": record.id,
        "addresses": [str(address) for address in record.addresses],
        "pools": [
            {
                "pool": one.pool,
                "network": str(one.network),
                "used": one.used,
                "resting": one.resting,
                "size": one.size,
            }
            for one in ipam.ledger.usage().networks
        ],
    }


def describe_attachments(datapath: Datapath) -> list[dict[str, str]]:
    """A row a place where a program of ours is attached, and what is wrong there."""
    return [
        {"trunk": one.trunk, "place": one.attach_point, "drift": str(drift) if drift else ""}
        for one, drift in datapath.attached()
    ]


def describe_network(network: NodeNetwork) -> dict[str, Any]:
    """How pods of other nodes are reached, and what a packet to them may have."""
    mtu: dict[str, Any] = {"device": network.mtu}
    try:
        budget = network.budget()
    except AxonemeError as error:
        mtu |= {"route": 0, "budget": [str(error)]}
    else:
        mtu |= {"route": budget.route, "budget": budget.explain()}
    return {
        "mode": network.mode.value,
        "uplinks": list(network.uplinks),
        "nodes": sorted(node.name for node in network.others),
        "mtu": mtu,
        "problems": list(network.problems),
    }


def describe_plugins(engine: Engine) -> list[dict[str, Any]]:
    """A row a plugin, with the stages whose lanes it has."""
    assembly = engine.datapath.assembly
    lanes = assembly.lanes
    return [
        {
            "name": state.name,
            "status": str(state.status),
            "reason": state.reason or _not_recalling(assembly.asked_always.get(state.name, ())),
            "distribution": state.distribution,
            "version": state.version,
            "stages": sorted(stage for stage, plugins in lanes.items() if state.name in plugins),
        }
        for state in engine.host.plugins()
    ]


def _not_recalling(others: Sequence[str]) -> str:
    return f"recalls nothing: {', '.join(others)} must see every packet" if others else ""


def describe_trunks(datapath: Datapath) -> list[dict[str, Any]]:
    """A row a loaded trunk: which plugins are linked into which of its stages, and its cost."""
    lanes = datapath.assembly.lanes
    return [
        {
            "name": program.name,
            "stages": {stage: list(lanes.get(stage, ())) for stage in trunk(name).stages},
            "instructions": program.instructions,
            "microseconds": program.microseconds,
            "stack": program.stack,
            "jited": program.jited_size,
        }
        for name, program in sorted(datapath.assembly.programs.items())
    ]
