# SPDX-License-Identifier: Apache-2.0
"""Nodes: what a machine of a cluster is, as namespaces of the test process."""

from __future__ import annotations

import itertools
from functools import cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axoneme.net import Netlink
from axoneme.net.namespaces import MNT_DETACH, MS_BIND, mount, umount
from axoneme.net.nodes import BPFFS, enter_new_node
from axoneme.testing._cgroups import create_cgroup, enter_cgroup, sweep
from axoneme.testing._worker import KitError
from axoneme.testing.namespaces import Place
from axoneme.testing.pods import GATEWAY4, Pod

if TYPE_CHECKING:
    import os
    import subprocess
    from collections.abc import Sequence

    from axoneme.model import Address
    from axoneme.net import Link

_NAMES = Path("/run/netns")
_HIGHEST = 250
_labels = itertools.count(1)


class Node(Place):
    """A network and a mount namespace with a bpffs of its own at `bpffs`, and a cgroup.

    Its own addresses are on `lo`, its pods are reached by routes, and it forwards. Nodes that
    are to be joined need different numbers, from which all addresses follow. With a name it is
    in /run/netns as well, for people to enter.
    """

    bpffs = BPFFS

    def __init__(self, name: str | None = None, *, number: int = 1) -> None:
        if not 1 <= number <= _HIGHEST:
            raise ValueError(f"a node's number is from 1 to {_HIGHEST}, not {number}")
        self.number = number
        self.ipv4 = IPv4Address(f"172.31.0.{number}")
        self.ipv6 = IPv6Address(f"fd00:172::{number:x}")
        self.pod_networks: tuple[IPv4Network | IPv6Network, ...] = (
            IPv4Network(f"10.{number}.0.0/16"),
            IPv6Network(f"fd00:10:{number:x}::/64"),
        )
        self.pods: list[Pod] = []
        self._pod_numbers = itertools.count(1)
        _sweep_once()
        label = name or f"node{next(_labels)}"
        cgroup = create_cgroup(label)
        super().__init__(label, cgroup, partial(_enter, cgroup))
        try:
            self._prepare(name)
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses of the node itself."""
        return self.ipv4, self.ipv6

    def add_pod(self, name: str | None = None, *, mtu: int = 1500) -> Pod:
        """Make a pod on this node; it is closed with the node at the latest."""
        if self.closed:
            raise KitError(f"{self.name} is closed; add pods inside its `with`")
        return Pod(self, next(self._pod_numbers), name, mtu=mtu)

    def popen(
        self, args: Sequence[str | os.PathLike[str]], *, pod: Pod | None = None, **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a process on this node, or in one of its pods; see `Place.popen`."""
        return super().popen(args, **options) if pod is None else pod.popen(args, **options)

    def _prepare(self, name: str | None) -> None:
        self.netlink = self.call(Netlink)
        self._closing.callback(self.netlink.close)
        loopback = self.netlink.link("lo")
        self.netlink.change_link(loopback, up=True)
        for address in (*self.addresses, GATEWAY4):
            self.netlink.add_address(loopback, address)
        if name:
            self._publish(_NAMES / name)
        self._closing.callback(self._close_pods)

    def _publish(self, path: Path) -> None:
        """Let `ip netns` and nsenter find the network namespace by a name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            raise KitError(
                f"{path} exists: another node has this name, or a killed one has left it; "
                f"`ip netns delete {path.name}` removes it"
            ) from None
        self._closing.callback(path.unlink)
        mount(f"/proc/self/fd/{self.network}", str(path), flags=MS_BIND)
        self._closing.callback(umount, str(path), MNT_DETACH)

    def _close_pods(self) -> None:
        for pod in self.pods:
            self._closing.callback(pod.close)


def join(first: Node, second: Node) -> tuple[Link, Link]:
    """Lay a link between two nodes and return both ends; each routes to the other's pods by it.

    The devices are called by the number of the node that they lead to, such as uplink2.
    """
    if first.number == second.number:
        raise ValueError(
            f"nodes with one number, {first.number}, cannot be joined: addresses clash"
        )
    here = first.netlink.add_veth(
        f"uplink{second.number}",
        f"uplink{first.number}",
        peer_network=second.network,
        mac=b"\x0a\x59" + first.ipv4.packed,
        peer_mac=b"\x0a\x59" + second.ipv4.packed,
    )
    there = second.netlink.link(f"uplink{first.number}")
    first.netlink.change_link(here, up=True)
    second.netlink.change_link(there, up=True)
    _lead(first, here, second, there.mac)
    _lead(second, there, first, here.mac)
    return here, there


def _lead(node: Node, uplink: Link, other: Node, mac: bytes) -> None:
    """Route from one node to another and its pods."""
    for own, far, pods in zip(node.addresses, other.addresses, other.pod_networks, strict=True):
        node.netlink.add_address(uplink, own)
        node.netlink.add_route(far, uplink, source=own)
        node.netlink.add_neighbour(uplink, far, mac)
        node.netlink.add_route(pods, uplink, gateway=far, source=own)


def _enter(cgroup: Path) -> None:
    enter_cgroup(cgroup)
    enter_new_node()


@cache
def _sweep_once() -> None:
    sweep()
