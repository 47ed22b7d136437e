# SPDX-License-Identifier: Apache-2.0
"""What becomes of a plan: one write for each node, made of the node as it is at that moment.

Whoever ends between two writes has left nothing half done: a node has a network or has it not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import evolve, frozen

from axoneme.model import PoolPart
from axoneme.sources import Networks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from axoneme.model import Assignment, AssignmentPlan, Network, NodeIpam, NodeRecord


class Nodes(Protocol):
    """The nodes' resources, wherever they are."""

    def update(self, name: str, change: Callable[[NodeRecord], NodeRecord]) -> NodeRecord | None:
        """Change one as it is, while nobody else does; what it is then, None if it is not there."""
        ...


@frozen
class Order:
    """What is to be written into the resource of one node: networks, and why it gets no more."""

    node: str
    assignments: tuple[Assignment, ...]
    error: str


def orders(plan: AssignmentPlan, nodes: Iterable[NodeRecord]) -> Iterator[Order]:
    """What a plan has to say to nodes that they do not say already."""
    by_node: dict[str, list[Assignment]] = {}
    for assignment in plan.assignments:
        by_node.setdefault(assignment.node, []).append(assignment)
    for node in nodes:
        found, error = by_node.get(node.name, ()), plan.errors.get(node.name, "")
        if found or error != node.ipam.error:
            yield Order(node.name, tuple(found), error)


class Assigner:
    """Gives networks to nodes, and each network once, whatever a plan says."""

    def __init__(self, nodes: Nodes, held: Iterable[tuple[Network, str]]) -> None:
        """`held` are the networks that are some node's, each with a word for it."""
        self._nodes = nodes
        self._held: Networks[str] = Networks()
        for network, node in held:
            self._held.add(network, node)

    def carry_out(self, order: Order) -> list[str]:
        """Write what a node is to have; what it did not get, and why.

        Raises:
            StateError: it cannot be written.
        """
        refused: list[str] = []

        def change(record: NodeRecord) -> NodeRecord:
            refused.clear()
            ipam = evolve(record.ipam, error=order.error)
            for assignment in order.assignments:
                taken = [*_networks(ipam)]
                for network in assignment.networks:
                    if network in taken:
                        continue
                    owner = self._owner(network, order.node, taken)
                    if owner:
                        refused.append(f"node {order.node} cannot get {network}: {owner}")
                        continue
                    taken.append(network)
                    ipam = _with(ipam, assignment.pool, network)
            return evolve(record, ipam=ipam) if ipam != record.ipam else record

        after = self._nodes.update(order.node, change)
        for network in after.networks if after is not None else ():
            self._held.add(network, order.node)
        return refused

    def _owner(self, network: Network, node: str, own: Iterable[Network]) -> str:
        """Who has a network or a part of it, "" if nobody has."""
        found = self._held.overlapping(network)
        if found is not None and found[1] != node:
            return f"{found[1]} has {found[0]}"
        part = next((n for n in own if n.version == network.version and n.overlaps(network)), None)
        return f"it has {part}" if part is not None else ""


def _networks(ipam: NodeIpam) -> Iterator[Network]:
    yield from ipam.pod_cidrs
    for part in ipam.allocated:
        yield from part.networks


def _with(ipam: NodeIpam, pool: str, network: Network) -> NodeIpam:
    """One network more: of a pool, or of the node's podCIDRs."""
    if not pool:
        return evolve(ipam, pod_cidrs=(*ipam.pod_cidrs, network))
    others = (part for part in ipam.allocated if part.pool != pool)
    return evolve(ipam, allocated=(*others, PoolPart(pool, (*ipam.part(pool), network))))
