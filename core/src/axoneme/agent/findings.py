# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a node now, and what whoever reads it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import asdict, frozen

from axoneme.errors import AxonemeError
from axoneme.host import Status
from axoneme.model import IpamCluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from axoneme.agent.agent import Agent
    from axoneme.config import AgentConfig
    from axoneme.datapath import Usage
    from axoneme.host import PluginState

#: The share of a map's entries from which on it is told of.
CROWDED = 0.9
#: Seconds in which something that has happened is still something that is wrong.
_RECENT = 60.0
_START = "start the agent again: pods do not notice"
_REPORT = (
    "report it as a bug, with what axoneme sysdump writes and the traceback in the agent's log; "
    "established traffic goes on"
)
_REMEDIES = {
    Status.REJECTED: "mend what it says, then: axoneme retry {name}",
    Status.QUARANTINED: "tell the plugin's author, and try again with: axoneme retry {name}",
}


@frozen
class Finding:
    """One thing that is wrong: what it is about, a sentence, and what to do."""

    subject: str
    problem: str
    remedy: str


def find_problems(agent: Agent, usage: Mapping[str, Usage]) -> list[Finding]:
    """Everything that is wrong now, or went wrong within the last minute."""
    found = [
        *_plugins(agent),
        *_network(agent),
        *_addresses(agent),
        *_maps(usage),
        *_sizes(agent.engine.configuration.agent, usage),
        *(Finding("configuration", text, _START) for text in agent.notes.fixed),
        *_drift(agent),
    ]
    told = {finding.problem for finding in found}
    return [*found, *(finding for finding in _cluster(agent) if finding.problem not in told)]


def _plugins(agent: Agent) -> Iterator[Finding]:
    for state in agent.engine.host.plugins():
        if state.status in _REMEDIES:
            remedy = _REMEDIES[state.status].format(name=state.name)
            yield Finding("plugins", what_is_wrong(state), remedy)


def what_is_wrong(state: PluginState) -> str:
    """Say why a plugin is not in use."""
    if state.status is Status.REJECTED:
        what = "is not in effect, so that nothing it decides is enforced"
    else:
        what = "is quarantined, and what it has in the programs stays there"
    return f"plugin {state.name} {what}: {state.reason}"


def _network(agent: Agent) -> Iterator[Finding]:
    network = agent.engine.network
    advice = "mend the link, the route or the node that it names: it is tried again in 10 s"
    try:
        network.budget()
    except AxonemeError as error:
        yield Finding("network", str(error), "give the uplinks a longer MTU")
    for text in network.problems:
        yield Finding("network", text, advice)


def _addresses(agent: Agent) -> Iterator[Finding]:
    remedy = "remove pods of this node, or give it more: `axoneme ipam pools` shows what there is"
    ipam = agent.ipam
    crowded = agent.look_at_pools()
    for one in crowded:
        yield Finding(f"pool {one.pool}", str(one), remedy)
    for text in ipam.problems:
        yield Finding("addresses", text, remedy)
    grows = any(pool.grows for pool in ipam.pools)
    if not (grows or crowded or ipam.refusal) and ipam.problem():
        yield Finding("addresses", ipam.problem(), remedy)
    yield from _operator(agent)


def _operator(agent: Agent) -> Iterator[Finding]:
    """Nodes whose networks are planned need somebody who gives them these."""
    plans = agent.engine.host.hooks.axoneme_assign_networks(cluster=IpamCluster())
    planned = any(plan is not None for plan in plans.values())
    if planned and not agent.cluster.source.leadership().leader():
        text = "no operator leads: nodes that need more addresses get none"
        yield Finding("operator", text, "start one, better two: axoneme operator")


def _maps(usage: Mapping[str, Usage]) -> Iterator[Finding]:
    for name, one in usage.items():
        if one.pressure is not None and one.pressure >= CROWDED and not one.evicting:
            text = f"{one.used} of {one.max_entries} entries are in use: when it is full, new "
            text += "ones are refused"
            yield Finding(f"map {name}", text, _room_for(name))


def _sizes(configured: AgentConfig, usage: Mapping[str, Usage]) -> Iterator[Finding]:
    """Maps that an earlier agent made, with another size than the configuration says now."""
    for name, size in asdict(configured.map_entries).items():
        if size is not None and name in usage and usage[name].max_entries != size:
            text = f"it has {usage[name].max_entries} entries and not the {size} of the "
            text += "configuration: a map that is pinned keeps its size"
            remedy = "restart the node; or end the agent, remove the map's pin, and start it again"
            yield Finding(f"map {name}", text, remedy)


def _room_for(name: str) -> str:
    key = name.replace("_", "-")
    share = " (or bpf-map-dynamic-size-ratio)" if name == "conntrack" else ""
    return (
        f"raise agent.map-entries.{key}{share} and restart the node: a map that is pinned keeps "
        "its size"
    )


def _drift(agent: Agent) -> Iterator[Finding]:
    remedy = "it is repaired within 10 s; if it comes back, look for what else changes it"
    for drift in agent.engine.datapath.drift():
        yield Finding("datapath", str(drift), remedy)


def _cluster(agent: Agent) -> Iterator[Finding]:
    """What the source says that cannot be used, and what has happened just now."""
    remedy = "mend what it names: files are read again when they change"
    notes = agent.notes
    standing = (*notes.start, *agent.cluster.problems, *agent.settings.problems)
    texts = dict.fromkeys((*notes.refused, *standing))
    for text in texts:
        yield Finding("configuration" if text in notes.refused else "node", text, remedy)
    for text, seconds in notes.ages().items():
        if seconds < _RECENT and text not in texts and text not in notes.fixed:
            if notes.is_fault(text):
                yield Finding("agent", text, _REPORT)
            else:
                yield Finding("lately", text, "see the agent's log, should it happen again")
