# SPDX-License-Identifier: Apache-2.0
"""A pod's link: a veth between its network namespace and the node's, with addresses and routes.

All of it is asked of the kernel in this process. A pod sends everything to a gateway at its link's
other end; the node has the gateway's addresses there, and so answers for them itself, and the
addresses go with the link. Every step that fails undoes those before it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_network
from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme.net import Netlink, NetworkError, write_sysctl
from axoneme.net.namespaces import entered, is_network, open_network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.model import Address
    from axoneme.net import Link

GATEWAY4 = IPv4Address("169.254.1.1")
GATEWAY6 = IPv6Address("fe80::1")
_AT_THE_NODE: dict[int, IPv4Interface | IPv6Interface] = {
    4: IPv4Interface(GATEWAY4),
    6: IPv6Interface((GATEWAY6, 64)),
}
_EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}
#: Beside the gateway's, no link-local addresses: nothing may speak from them.
_IPV6_SYSCTLS = {"disable_ipv6": 0, "accept_ra": 0, "addr_gen_mode": 1}
_NODE_SYSCTLS4 = {"forwarding": 1, "rp_filter": 0, "send_redirects": 0}


@frozen
class PodWiring:
    """What a pod's link is to be; `node_addresses` are the sources of the node's own packets.

    `ifname` and `mac` are those of the pod's end, `node_ifname` and `node_mac` of the other. The
    devices have `mtu`, the routes out of the pod `route_mtu`.
    """

    netns: str
    ifname: str
    mac: bytes
    node_ifname: str
    node_mac: bytes
    addresses: tuple[Address, ...]
    mtu: int
    route_mtu: int
    node_addresses: tuple[Address, ...] = field(default=())

    @property
    def gateways(self) -> tuple[Address, ...]:
        """The gateway of each family that the pod has an address of."""
        versions = {address.version for address in self.addresses}
        return tuple(one for one in (GATEWAY4, GATEWAY6) if one.version in versions)

    @property
    def own_interfaces(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """The gateways as the node has them at its end of the link."""
        return tuple(_AT_THE_NODE[gateway.version] for gateway in self.gateways)

    def source(self, address: Address) -> Address | None:
        """The node's own address of the family of another."""
        return next((a for a in self.node_addresses if a.version == address.version), None)


def attach_pod(netlink: Netlink, wiring: PodWiring) -> Link:
    """Make a pod's link, and return the node's end of it.

    Raises:
        NetworkError: what the kernel refuses; nothing of the link stays.
    """
    with ExitStack() as undo:
        network = _open_pod(wiring.netns)
        undo.callback(os.close, network)
        link = netlink.add_veth(
            wiring.node_ifname,
            wiring.ifname,
            peer_network=network,
            mac=wiring.node_mac,
            peer_mac=wiring.mac,
            mtu=wiring.mtu,
        )
        with ExitStack() as removing:
            removing.callback(netlink.delete_link, link)
            with entered(network), Netlink() as inside:
                _configure_pod(inside, wiring)
            _configure_node(netlink, link, wiring)
            removing.pop_all()
    return link


def detach_pod(netlink: Netlink, node_ifname: str) -> None:
    """Remove a pod's link, and with it all that `attach_pod` made; again is no error."""
    link = netlink.find_link(node_ifname)
    if link is not None:
        netlink.delete_link(link)


def check_pod(netlink: Netlink, wiring: PodWiring) -> list[str]:
    """Compare a pod's link with what it is to be; a sentence for each difference."""
    link = netlink.find_link(wiring.node_ifname)
    if link is None:
        return [f"the node has no device {wiring.node_ifname}"]
    wrong = [] if link.up else [f"{wiring.node_ifname} is down"]
    led = {route.destination for route in netlink.routes(link)}
    astray = [address for address in wiring.addresses if ip_network(address) not in led]
    wrong += [f"the node has no route to {address} by {link.name}" for address in astray]
    try:
        network = _open_pod(wiring.netns)
    except NetworkError as error:
        return [*wrong, str(error)]
    try:
        with Netlink(network) as inside:
            return wrong + _check_inside(inside, wiring)
    finally:
        os.close(network)


def _open_pod(path: str) -> int:
    """Return a file descriptor of the pod's network namespace, which must not be the node's."""
    try:
        # Whatever is at the path: to open it must not wait for anybody.
        network = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        reason = f"cannot open the network namespace {path}"
        raise NetworkError(reason, errno=error.errno or 0) from error
    fault = _fault(network)
    if fault:
        os.close(network)
        raise NetworkError(f"{path} is {fault}")
    return network


def _fault(network: int) -> str:
    """Say why a file descriptor is no pod's network namespace, or nothing."""
    if not is_network(network):
        return "no network namespace"
    own = open_network()
    try:
        same = os.path.sameopenfile(network, own)
    finally:
        os.close(own)
    return "the node's own network namespace, not a pod's" if same else ""


def _configure_pod(inside: Netlink, wiring: PodWiring) -> None:
    """Set up the pod's own side, from inside."""
    _write_ipv6_sysctls(wiring.ifname, wiring.addresses)
    inside.change_link(inside.link("lo"), up=True)
    link = inside.link(wiring.ifname)
    inside.change_link(link, up=True)
    for address in wiring.addresses:
        inside.add_address(link, address)
    for gateway in wiring.gateways:
        if gateway.version == 4:
            inside.add_route(gateway, link)
        everything = _EVERYTHING[gateway.version]
        inside.add_route(everything, link, gateway=gateway, mtu=wiring.route_mtu)


def _configure_node(netlink: Netlink, link: Link, wiring: PodWiring) -> None:
    """Set up the node's side: the gateway is here, and the pod's addresses are there."""
    for name, value in _NODE_SYSCTLS4.items():
        write_sysctl(f"net/ipv4/conf/{link.name}/{name}", value)
    _write_ipv6_sysctls(link.name, wiring.addresses)
    netlink.change_link(link, up=True)
    for gateway in wiring.own_interfaces:
        netlink.add_address(link, gateway, on_link=True)
    for address in wiring.addresses:
        netlink.add_neighbour(link, address, wiring.mac)
        netlink.add_route(address, link, source=wiring.source(address))


def _write_ipv6_sysctls(ifname: str, addresses: Iterable[Address]) -> None:
    if any(address.version == 6 for address in addresses):
        for name, value in _IPV6_SYSCTLS.items():
            write_sysctl(f"net/ipv6/conf/{ifname}/{name}", value)


def _check_inside(inside: Netlink, wiring: PodWiring) -> list[str]:
    link = inside.find_link(wiring.ifname)
    if link is None:
        return [f"the pod has no device {wiring.ifname}"]
    wrong = [] if link.up else [f"{wiring.ifname} is down in the pod"]
    if link.mac != wiring.mac:
        wrong.append(f"{wiring.ifname} has the address {link.mac.hex(':')} in the pod")
    present = {interface.ip for interface in inside.addresses(link)}
    missing = [address for address in wiring.addresses if address not in present]
    wrong += [f"{wiring.ifname} has not the address {address} in the pod" for address in missing]
    gateways = {route.gateway for route in inside.routes(link)}
    missing = [gateway for gateway in wiring.gateways if gateway not in gateways]
    return wrong + [f"the pod has no route by the gateway {gateway}" for gateway in missing]
