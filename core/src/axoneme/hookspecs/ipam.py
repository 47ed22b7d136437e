# SPDX-License-Identifier: Apache-2.0
"""Hooks of IPAM: which addresses nodes may give to pods, and which a pod gets.

One plugin answers them: with two that answer `axoneme_address_pools`, no pod gets an address
until one of the two is taken out. Core keeps the books: it gives each address once, lets it rest
after its release, finds leaks, and honours addresses that a pod asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.hookspecs._marker import hookspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.model import (
        AddressPool,
        AddressRequest,
        AddressUsage,
        AssignmentPlan,
        IpamCluster,
        IpamNode,
        NodeIpam,
        PoolChoice,
    )


@hookspec
def axoneme_address_pools(node: IpamNode, config: Any) -> Iterable[AddressPool]:
    """Say which addresses this node may give to its pods.

    Called when the agent starts, when the configuration, the node's resource or the cluster's
    pools change, and every ten seconds beside. Answer from what is at hand: read a small file at
    most, and leave what takes longer to a thread that `axoneme_stop` ends.

    :param node: the node's resource, and what the cluster says beside it.
    :param config: the plugin's own section.

    One implementation returns pools with names that differ, without addresses where the node has
    none yet. What leaves a pool while pods have it stays theirs, and nobody gets it afterwards.

    Answers do not combine: one plugin of a node answers.

    If it raises, or returns anything but AddressPool, the plugin is quarantined. The pools stay
    as they were.

    .. versionadded:: 0.3
    """


@hookspec
def axoneme_choose_pools(pod: AddressRequest, node: IpamNode, config: Any) -> PoolChoice | None:
    """Choose the pools that a pod's addresses come from.

    Called for each pod that comes, between its request and its addresses: there is no time to
    ask anybody.

    :param pod: the pod, its namespace, and the addresses that it asks for.
    :param node: the node's resource, and what the cluster says beside it.
    :param config: the plugin's own section.

    One implementation returns the choice, or None for the pool `default`. Why a pod cannot have
    addresses at all is said by the choice's `refusal`.

    Answers do not combine: the plugin that has the pools is asked.

    If it raises, or returns anything but PoolChoice, the plugin is quarantined and the pod is
    refused.

    .. versionadded:: 0.3
    """


@hookspec
def axoneme_node_ipam(node: IpamNode, usage: AddressUsage, config: Any) -> NodeIpam | None:
    """Say what the node's resource must tell of its addresses: what it needs and gives back.

    Called soon after addresses were given or released, and every ten seconds. A network that is
    in the resource and not in the answer is given back: core gives no address of it from then on.

    :param node: the node's resource as it is now.
    :param usage: what is given, resting and free of each network.
    :param config: the plugin's own section.

    One implementation returns the new `ipam` of the resource, or None to leave it as it is.

    Answers do not combine: the plugin that has the pools is asked.

    If it raises, or returns anything but NodeIpam, the plugin is quarantined and the resource
    stays as it is.

    .. versionadded:: 0.3
    """


@hookspec
def axoneme_assign_networks(cluster: IpamCluster, config: Any) -> AssignmentPlan | None:
    """Plan which networks nodes get: asked by the operator, of which one leads.

    Called when a node's resource or a pool changes. What was planned is written by core, node by
    node, and the operator may end between any two of them: plan from what the resources say and
    from nothing else.

    :param cluster: all nodes' resources, and the cluster's pools.
    :param config: the plugin's own section.

    One implementation returns the plan, or None if no operator is needed.

    Answers do not combine: one plugin answers.

    If it raises, or returns anything but AssignmentPlan, the plugin is quarantined and nodes
    stay as they are.

    .. versionadded:: 0.3
    """
