# SPDX-License-Identifier: Apache-2.0
"""Asking the one plugin that plans, and saying what is wrong with who has which network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from axoneme.errors import PluginFailed
from axoneme.host import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.host import PluginHost
    from axoneme.model import AssignmentPlan, IpamCluster, StrandedNetwork
    from axoneme.sources import EndpointRecord

HOOK: Final = "axoneme_assign_networks"
_LISTED = 20
_UNUSED = (Status.REJECTED, Status.QUARANTINED)


@frozen
class Planned:
    """What a plugin answered; without a plan every node stays as it is."""

    plan: AssignmentPlan | None = None
    plugin: str = ""
    problems: tuple[str, ...] = ()


def ask_for_plan(host: PluginHost, cluster: IpamCluster) -> Planned:
    """Ask the plugin that assigns networks; with two of them none is asked."""
    plugins = host.answering(HOOK)
    if len(plugins) > 1:
        text = f"the plugins {' and '.join(plugins)} both assign networks to nodes, which get none"
        return Planned(problems=(f"{text}: take one of them out of agent.plugins",))
    unused = tuple(_unused(host))
    if not plugins:
        text = "no plugin that is on assigns networks to nodes: add one, such as ipam, to "
        return Planned(problems=(*unused, f"{text}agent.plugins"))
    try:
        plan: AssignmentPlan | None = host.call(HOOK, plugins[0], cluster=cluster)
    except PluginFailed:
        return Planned(problems=tuple(_unused(host)))
    return Planned(plan, plugins[0], unused)


def _unused(host: PluginHost) -> Iterator[str]:
    """The plugins that should be in use and are not."""
    for state in host.plugins():
        if state.status in _UNUSED:
            remedy = "mend what it says, and change the configuration or start the operator again"
            yield f"plugin {state.name} is {state.status}: {state.reason}; {remedy}"


def tell_of_stranded(
    stranded: Iterable[StrandedNetwork], endpoints: Iterable[EndpointRecord]
) -> Iterator[str]:
    """Say of networks that their pools would not give which pods have addresses in them.

    Those with pods come first; of very many the rest is counted.
    """
    by_node: dict[str, list[EndpointRecord]] = {}
    for endpoint in endpoints:
        by_node.setdefault(endpoint.node, []).append(endpoint)
    found = [(one, _pods_in(one, by_node.get(one.node, ()))) for one in stranded]
    found.sort(key=lambda item: not item[1])
    for one, pods in found[:_LISTED]:
        text = f"node {one.node} has {one.network} of pool {one.pool}, which {one.why}"
        there = f"with the addresses of {_listed(pods)}" if pods else "though no pod is there"
        yield f"{text}: it keeps it, {there}"
    if len(found) > _LISTED:
        yield f"nodes keep {len(found) - _LISTED} more networks that their pools would not give"


def _pods_in(one: StrandedNetwork, endpoints: Iterable[EndpointRecord]) -> list[str]:
    return sorted(str(e) for e in endpoints if any(a in one.network for a in e.addresses))


def _listed(pods: list[str]) -> str:
    more = f" and {len(pods) - _LISTED} more" if len(pods) > _LISTED else ""
    return ", ".join(pods[:_LISTED]) + more
