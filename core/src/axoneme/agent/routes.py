# SPDX-License-Identifier: Apache-2.0
"""Routes to the pods of other nodes: which there should be, and making it so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

from axoneme.net import KeptRoute, NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network

    from axoneme.model import Address
    from axoneme.model.node import NodeRecord
    from axoneme.net import Netlink

#: The protocol number of our routes: `ip route show proto 158` lists them.
KEEPER: Final = 158


@define
class Plan:
    """The routes that there should be, by destination, and why others cannot be."""

    routes: dict[IPv4Network | IPv6Network, KeptRoute] = field(factory=dict)
    problems: list[str] = field(factory=list)
    _owners: dict[IPv4Network | IPv6Network, str] = field(factory=dict)

    def add(self, node: NodeRecord, route: KeptRoute) -> None:
        """Take a route in, unless another node has its destination."""
        taken = self._owners.setdefault(route.destination, node.name)
        if taken == node.name:
            self.routes[route.destination] = route
        else:
            self.problems.append(
                f"nodes {taken} and {node.name} both have {route.destination}: packets go to "
                f"{taken}, give the other one a CIDR of its own"
            )


def _plan_own(own: NodeRecord) -> Plan:
    """Begin with this node: what is for a pod that it does not have goes nowhere else."""
    plan = Plan()
    for cidr in own.networks:
        plan.add(own, KeptRoute(cidr, device=0))
    return plan


def plan_native(own: NodeRecord, others: Iterable[NodeRecord], netlink: Netlink) -> Plan:
    """Plan a route to each node's pods by its address, which must be on a link of ours."""
    plan = _plan_own(own)
    for node in others:
        for cidr in node.networks:
            gateway = node.address(cidr.version)
            if gateway is None:
                plan.problems.append(
                    f"node {node.name} has no IPv{cidr.version} address by which its pods in "
                    f"{cidr} could be reached: give it one, or set agent.routing-mode to tunnel"
                )
                continue
            device = _direct(netlink, node, gateway, plan.problems)
            if device is not None:
                source = own.address(cidr.version)
                plan.add(node, KeptRoute(cidr, device, gateway, source))
    return plan


def _direct(
    netlink: Netlink, node: NodeRecord, gateway: Address, problems: list[str]
) -> int | None:
    """Return the device on whose link an address is, or add why there is none."""
    try:
        way = netlink.way_to(gateway)
    except NetworkError as error:
        problems.append(f"node {node.name}: {error}")
        return None
    if way.gateway is None:
        return way.device
    problems.append(
        f"node {node.name} at {gateway} is on no link of this node, but behind {way.gateway}: set "
        "agent.routing-mode to tunnel, or agent.auto-direct-node-routes to false and route its "
        "pods in the network"
    )
    return None


def plan_tunnel(own: NodeRecord, others: Iterable[NodeRecord], device: int, mtu: int) -> Plan:
    """Plan a route to each node's pods through the tunnel device."""
    plan = _plan_own(own)
    for node in others:
        for cidr in node.networks:
            source = own.address(cidr.version)
            plan.add(node, KeptRoute(cidr, device, source=source, mtu=mtu))
    return plan


def keep_routes(netlink: Netlink, wanted: Iterable[KeptRoute]) -> list[str]:
    """Make our routes the wanted ones; a sentence for each that was not so."""
    present = {route.destination: route for route in netlink.kept_routes(KEEPER)}
    wished = {route.destination: route for route in wanted}
    found = []
    for destination, route in wished.items():
        if present.get(destination) != route:
            found.append(_put(netlink, route, present.get(destination)))
    stale = present.keys() - wished.keys()
    return found + [_remove(netlink, present[destination]) for destination in stale]


def _put(netlink: Netlink, route: KeptRoute, before: KeptRoute | None) -> str:
    try:
        others = netlink.other_routes(route.destination, KEEPER)
        netlink.put_route(route, KEEPER)
    except NetworkError as error:
        return f"route to {route}: {error}"
    replaced = before or next(iter(others), None)
    if replaced is None:
        return f"route to {route}: it was missing"
    return f"route to {route}: another was in its place, by {_by(replaced)}"


def _by(route: KeptRoute) -> str:
    return str(route.gateway or (f"device {route.device}" if route.device else "nothing"))


def _remove(netlink: Netlink, route: KeptRoute) -> str:
    try:
        netlink.remove_route(route, KEEPER)
    except NetworkError as error:
        return f"route to {route}: {error}"
    return f"route to {route}: no node has it any more"


def drop_routes(netlink: Netlink) -> list[str]:
    """Remove all routes of ours, whoever made them; a sentence for each."""
    return keep_routes(netlink, ())
