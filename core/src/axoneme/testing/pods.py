# SPDX-License-Identifier: Apache-2.0
"""Pods: network namespaces that are tied to their node by a veth each."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from axoneme.model import Endpoint
from axoneme.net import Netlink, write_sysctl
from axoneme.net.namespaces import CLONE_FS, CLONE_NEWNET, unshare
from axoneme.testing._cgroups import create_child, enter_cgroup
from axoneme.testing.namespaces import Place

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.model import Address
    from axoneme.testing.nodes import Node

GATEWAY4 = IPv4Address("169.254.1.1")
GATEWAY6 = IPv6Address("fe80::1")
_GATEWAYS: tuple[Address, ...] = (GATEWAY4, GATEWAY6)

_SYSCTLS = {
    "net/ipv6/conf/default/accept_ra": 0,
    # No link-local address, and so no solicitations from it.
    "net/ipv6/conf/default/addr_gen_mode": 1,
}


class Pod(Place):
    """A network namespace with one device, `eth0`, and a cgroup below its node's.

    `ifname` and `ifindex` are those of the host side of its link, `mac` is its own and
    `node_mac` the host side's. Every packet goes to the node, by a gateway that needs no ARP.
    """

    def __init__(self, node: Node, number: int, name: str | None, *, mtu: int) -> None:
        self.node = node
        self.number = number
        self.ifname = f"axn{number}"
        self.ipv4, self.ipv6 = (network[number] for network in node.pod_networks)
        self.mac = b"\x0a\x58" + self.ipv4.packed
        self.node_mac = b"\x0e\x58" + self.ipv4.packed
        label = name or f"pod{number}"
        cgroup = create_child(node.cgroup, label)
        super().__init__(label, cgroup, partial(_enter, cgroup), node)
        try:
            self._attach(mtu)
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses of the pod."""
        return self.ipv4, self.ipv6

    def endpoint(self, identity: int = 0, *, namespace: str = "default") -> Endpoint:
        """Return the pod as the hooks and the maps see it."""
        return Endpoint(
            id=self.number,
            name=self.name,
            namespace=namespace,
            ifname=self.ifname,
            ifindex=self.ifindex,
            addresses=self.addresses,
            mac=self.mac,
            node_mac=self.node_mac,
            identity=identity,
        )

    def _attach(self, mtu: int) -> None:
        """Tie the pod to its node, and let each know the way to the other."""
        netlink = self.node.netlink
        link = netlink.add_veth(
            self.ifname,
            "eth0",
            peer_network=self.network,
            mac=self.node_mac,
            peer_mac=self.mac,
            mtu=mtu,
        )
        self.ifindex = link.index
        self._closing.callback(self._detach)
        self.node.pods.append(self)
        self._closing.callback(self.node.pods.remove, self)
        self.call(self._configure)
        netlink.change_link(link, up=True)
        netlink.add_address(link, f"{GATEWAY6}/64")
        for address, source in zip(self.addresses, self.node.addresses, strict=True):
            netlink.add_route(address, link, source=source)
            netlink.add_neighbour(link, address, self.mac)

    def _configure(self) -> None:
        """Set up the pod's own side, from inside."""
        with Netlink() as netlink:
            netlink.change_link(netlink.link("lo"), up=True)
            link = netlink.link("eth0")
            netlink.change_link(link, up=True)
            for address in self.addresses:
                netlink.add_address(link, address)
            netlink.add_route(GATEWAY4, link)
            for gateway, default in zip(_GATEWAYS, ("0.0.0.0/0", "::/0"), strict=True):
                netlink.add_neighbour(link, gateway, self.node_mac)
                netlink.add_route(default, link, gateway=gateway)

    def _detach(self) -> None:
        # With its node, the kernel removes the link; deleting one takes 20 ms.
        if not self.node.closed:
            link = self.node.netlink.find_link(self.ifindex)
            if link is not None:
                self.node.netlink.delete_link(link)


def _enter(cgroup: Path) -> None:
    enter_cgroup(cgroup)
    unshare(CLONE_FS | CLONE_NEWNET)
    for name, value in _SYSCTLS.items():
        write_sysctl(name, value)
