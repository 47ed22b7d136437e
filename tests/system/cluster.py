# SPDX-License-Identifier: Apache-2.0
"""Joined nodes, each with a pipeline, that know of each other's pods."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from attrs import evolve

from axoneme.datapath import IpcacheMaps, PolicyMaps, Remote
from axoneme.host import entry_points
from axoneme.model import NodeIpam, pack_address
from axoneme.model.node import NodeRecord
from axoneme.net import Netlink
from axoneme.testing import Node, join
from axoneme.testing.pipelines import Pipeline
from axoneme.testing.pods import GATEWAY4, GATEWAY6

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from types import TracebackType

    from axoneme.agent.node_network import NodeNetwork
    from axoneme.model import Address
    from axoneme.model.rule_set import RuleSet
    from axoneme.testing import Pod

HOST, REMOTE_NODE = 1, 6
OVERLAY = "axn_vxlan"
#: A machine beyond the uplink of every node, which is none of the cluster.
_OUTSIDE = 9


class Cluster:
    """Two nodes with the plugin tc and a link between them, and a machine outside that both reach.

    `mode` is how they reach each other's pods, `underlay` the only IP version of the addresses by
    which they know each other, `plugins` are on beside tc, and `toml` has sections of plugins.
    """

    def __init__(
        self,
        mode: str = "native",
        *,
        underlay: int | None = None,
        plugins: tuple[EntryPoint, ...] = (),
        toml: str = "",
    ) -> None:
        self.nodes = [Node(number=1), Node(number=2)]
        self.outside = Node(number=_OUTSIDE)
        self.records = [_record(node, underlay) for node in self.nodes]
        self.pipelines: list[Pipeline] = []
        self.ipcaches: list[IpcacheMaps] = []
        with ExitStack() as stack:
            for node in (*self.nodes, self.outside):
                stack.enter_context(node)
            join(*self.nodes)
            for node in self.nodes:
                join(node, self.outside)
            for node in self.nodes:
                config = f'routing-mode = "{mode}"\n{toml}'
                stack.callback(self._start(node, config, plugins).close)
            self.meet()
            self._stack = stack.pop_all()

    def _start(self, node: Node, config: str, plugins: tuple[EntryPoint, ...]) -> Pipeline:
        made = Pipeline(
            node,
            ["tc", *(plugin.name for plugin in plugins)],
            config,
            uplinks=[f"uplink{n}" for n in (1, 2, _OUTSIDE) if n != node.number],
            entry_points=lambda: [*entry_points(), *plugins],
        )
        self.pipelines.append(made)
        self.ipcaches.append(node.call(IpcacheMaps.open, made.datapath))
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def node(self, number: int) -> Node:
        """A node by its number, 1 or 2."""
        return self.nodes[number - 1]

    def network(self, number: int) -> NodeNetwork:
        """The way of a node to the other."""
        return self.pipelines[number - 1].engine.network

    def repair(self, number: int) -> list[str]:
        """What a node's engine repairs."""
        return self.node(number).call(self.pipelines[number - 1].engine.repair)

    def meet(self) -> None:
        """Tell each node of the other."""
        for number, (node, record) in enumerate(zip(self.nodes, self.records, strict=True), 1):
            others = tuple(other for other in self.records if other is not record)
            node.call(self.network(number).update, record, others)
            known = {address: r.id for r in self.records for address in r.addresses}
            node.call(self.ipcaches[number - 1].replace_nodes, known)
            self.know(number, {address: Remote(HOST) for address in node.addresses})
            for other in others:
                tunnel = self.network(number).tunnel_to(other)
                remote = Remote(REMOTE_NODE, tunnel)
                self.know(number, dict.fromkeys(other.addresses, remote))

    def part(self, number: int) -> None:
        """Tell a node that the other one has gone."""
        self.node(number).call(self.network(number).update, self.records[number - 1], ())

    def know(self, number: int, remotes: dict[Address, Remote]) -> None:
        """Tell a node who has addresses."""
        self.node(number).call(self.ipcaches[number - 1].put, remotes)

    def add_pod(self, number: int, *, identity: int, careless: bool = False) -> Pod:
        """A pod on a node, which both nodes know of.

        Its routes have the length that the budget leaves, as the CNI sets them; those of a careless
        one do not.
        """
        pod = self.pipelines[number - 1].add_pod(identity=identity)
        if not careless:
            pod.call(_limit, self.network(number).budget().route)
        self.introduce(pod, number, identity)
        return pod

    def introduce(self, pod: Pod, number: int, identity: int) -> None:
        """Tell both nodes who a pod of one of them is."""
        home = self.records[number - 1]
        for here in (1, 2):
            tunnel = self.network(here).tunnel_to(home) if here != number else None
            self.know(here, dict.fromkeys(pod.addresses, Remote(identity, tunnel)))

    def hold(self, number: int, pod: Pod, identity: int, rule_set: RuleSet) -> None:
        """Hold a pod of a node to a rule set."""
        node, pipeline = self.node(number), self.pipelines[number - 1]
        rules = node.call(PolicyMaps.open, pipeline.datapath, self.ipcaches[number - 1].runtime)
        slot = rules.slot(identity)
        node.call(rules.install, slot, rule_set)
        endpoint = evolve(pod.endpoint(identity), rule_set=slot)
        node.call(pipeline.engine.add_endpoint, endpoint)

    def counted(self, number: int, trunk: str, verdict: str = "PASS") -> int:
        """Packets that a trunk of a node gave a verdict."""
        return self.pipelines[number - 1].counted(trunk, verdict)

    def dropped(self, number: int, reason: str) -> int:
        """Packets that a node dropped for a reason."""
        return self.pipelines[number - 1].dropped(reason)


def _record(node: Node, underlay: int | None) -> NodeRecord:
    addresses = tuple(a for a in node.addresses if underlay in {None, a.version})
    return NodeRecord(f"node{node.number}", addresses, NodeIpam(node.pod_networks), node.number)


def _limit(mtu: int) -> None:
    """Make the calling pod's packets no longer than this."""
    with Netlink() as netlink:
        link = netlink.link("eth0")
        for default, gateway in (("0.0.0.0/0", GATEWAY4), ("::/0", GATEWAY6)):
            netlink.add_route(default, link, gateway=gateway, mtu=mtu)


def packed(address: Address) -> bytes:
    """An address as a key of a map."""
    return pack_address(address)
