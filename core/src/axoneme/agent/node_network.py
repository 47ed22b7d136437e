# SPDX-License-Identifier: Apache-2.0
"""The way to other nodes: by native routes, or through the tunnel device; kept as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.config import RoutingMode
from axoneme.errors import AxonemeError
from axoneme.net import KeptNeighbour, Netlink

from .mtu import MtuBudget
from .neighbours import keep_neighbours
from .overlay import OVERLAY_INDEX, keep_overlay, remove_overlay, tunnel_address
from .routes import drop_routes, keep_routes, plan_native, plan_tunnel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.config import AgentConfig
    from axoneme.model import Address
    from axoneme.model.node import NodeRecord

    from .routes import Plan

_USUAL_MTU = 1500


@define
class NodeNetwork:
    """One node's way to the others.

    `mtu` is that of its uplinks, as it was when it was looked at last. All that is done here is
    done again by `repair`, so that a kernel that refuses something now is asked again. All calls
    are made in the node's namespaces.
    """

    mode: RoutingMode
    mtu: int
    direct: bool = True
    uplinks: tuple[str, ...] = ()
    own: NodeRecord | None = field(default=None, init=False)
    others: tuple[NodeRecord, ...] = field(default=(), init=False)
    #: Why some nodes cannot be reached, as it was found last.
    problems: tuple[str, ...] = field(default=(), init=False)

    @property
    def tunnel(self) -> bool:
        """Whether packets for other nodes' pods are encapsulated."""
        return self.mode is RoutingMode.TUNNEL

    def budget(self) -> MtuBudget:
        """What is left for a packet to another node, and what is taken."""
        if not self.tunnel:
            return MtuBudget.of(self.mtu)
        return MtuBudget.of(self.mtu, [f"vxlan over IPv{self._underlay()}"])

    def _underlay(self) -> int:
        """The family of the longest header around a packet: IPv6 as soon as one node needs it."""
        addresses = [self.tunnel_to(node) for node in self.others]
        if self.own is not None and not addresses:
            addresses = [tunnel_address(self.own, self.own)]
        return max((address.version for address in addresses if address), default=4)

    def tunnel_to(self, node: NodeRecord) -> Address | None:
        """Return where packets for a node and its pods are encapsulated to, None if nowhere."""
        return tunnel_address(self.own, node) if self.tunnel and self.own else None

    def open(self) -> None:
        """Make the tunnel device, or remove that of an earlier agent with another mode.

        Raises:
            AxonemeError: it cannot be made.
        """
        with Netlink() as netlink:
            if self.tunnel:
                keep_overlay(netlink, self.budget().route)
            else:
                remove_overlay(netlink)

    def update(self, own: NodeRecord, others: tuple[NodeRecord, ...]) -> None:
        """Make the ways those to these nodes, and no others."""
        self.own, self.others = own, others
        self.repair()

    def repair(self) -> list[str]:
        """Make everything as it should be; a sentence for each thing that was not."""
        found: list[str] = []
        with Netlink() as netlink:
            try:
                found += self._measure(netlink)
                found += keep_overlay(netlink, self.budget().route) if self.tunnel else ()
                found += self._lead(netlink)
            except AxonemeError as error:
                self.problems = (str(error),)
        return found

    def _measure(self, netlink: Netlink) -> list[str]:
        """Look at the uplinks' MTU again."""
        before, self.mtu = self.mtu, _shortest(netlink, self.uplinks, self.mtu)
        return [] if before == self.mtu else [f"mtu of the uplinks: it was {before}, is {self.mtu}"]

    def _lead(self, netlink: Netlink) -> list[str]:
        """Keep routes and neighbours. Before anything is known, an earlier agent's stay."""
        if self.own is None:
            return []
        plan = self._plan(netlink, self.own)
        self.problems = tuple(plan.problems)
        return [
            *keep_routes(netlink, plan.routes.values()),
            *keep_neighbours(netlink, _gateways(plan)),
        ]

    def _plan(self, netlink: Netlink, own: NodeRecord) -> Plan:
        if not self.tunnel:
            return plan_native(own, self.others if self.direct else (), netlink)
        plan = plan_tunnel(
            own,
            [node for node in self.others if self.tunnel_to(node)],
            OVERLAY_INDEX,
            self.budget().route,
        )
        plan.problems += [
            f"node {node.name} has no address of a family that this node has: it is not reached"
            for node in self.others
            if not self.tunnel_to(node)
        ]
        return plan

    def remove(self) -> list[str]:
        """Leave nothing of ours; what was removed."""
        with Netlink() as netlink:
            return [
                *drop_routes(netlink),
                *keep_neighbours(netlink, ()),
                *remove_overlay(netlink),
            ]


def _gateways(plan: Plan) -> Iterator[KeptNeighbour]:
    for route in plan.routes.values():
        if route.gateway is not None:
            yield KeptNeighbour(route.device, route.gateway)


def _shortest(netlink: Netlink, devices: Iterable[str], otherwise: int) -> int:
    return min((netlink.link(name).mtu for name in devices), default=otherwise)


def open_network(agent: AgentConfig) -> NodeNetwork:
    """Return the calling thread's node's way to others, with its tunnel device where it has one.

    Raises:
        AxonemeError: an uplink is not there, or the tunnel device cannot be made.
    """
    with Netlink() as netlink:
        mtu = _shortest(netlink, agent.uplinks, _USUAL_MTU)
    network = NodeNetwork(agent.routing_mode, mtu, agent.auto_direct_node_routes, agent.uplinks)
    network.open()
    return network
