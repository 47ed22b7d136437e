# SPDX-License-Identifier: Apache-2.0
"""A node whose pods our programs carry, or the kernel alone."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from attrs import evolve
from tests.bench.results import BenchError

from axoneme import PluginObject
from axoneme.datapath import Datapath, IpcacheMaps, PolicyMaps, Remote, Verdict
from axoneme.model.policy import Direction
from axoneme.model.rule_set import PolicyEntry, PolicyKey, RuleSet
from axoneme.testing import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from axoneme.datapath import Swap
    from axoneme.testing import Pod

_FIRST_IDENTITY = 1000
_TCP = 6


def tc_objects() -> list[PluginObject]:
    """The objects of plugins/tc that carry packets."""
    return _objects("admit", "forward")


def pipeline_objects() -> list[PluginObject]:
    """The objects of plugins/tc that a packet between two pods comes by, with policy on."""
    return _objects("admit", "track", "policy", "forward")


def recalling_objects() -> list[PluginObject]:
    """Those, and the one that remembers verdicts."""
    return [*pipeline_objects(), *_objects("recall")]


def _objects(*names: str) -> list[PluginObject]:
    folder = files("axoneme_tc") / "bpf"
    return [PluginObject(folder / f"{name}.bpf.o") for name in names]


class Carried:
    """A node with a datapath and pods, to which it is attached on demand."""

    def __init__(self, node: Node, datapath: Datapath, pods: Sequence[Pod]) -> None:
        self.node = node
        self.datapath = datapath
        self.pods = pods

    def attach(self) -> None:
        """Let our programs carry the pods' packets."""
        for pod in self.pods:
            endpoint = pod.endpoint(_FIRST_IDENTITY + pod.number)
            self.node.call(self.datapath.add_endpoint, endpoint)

    def detach(self) -> None:
        """Leave the pods to the kernel's routing."""
        for pod in self.pods:
            self.node.call(self.datapath.remove_endpoint, pod.number)

    def link(self, objects: Mapping[str, list[PluginObject]]) -> Swap:
        """Put these objects in effect."""
        assembly = self.node.call(self.datapath.prepare, objects)
        if assembly.refused:
            raise BenchError(f"not linked: {assembly.refused}")
        return self.node.call(self.datapath.commit, assembly)

    def redirected(self) -> int:
        """Packets that went straight from pod to pod."""
        counts = self.node.call(self.datapath.counts)
        return sum(c.packets for c in counts if c.verdict is Verdict.REDIRECT)


class _UnderPolicies(Carried):
    """Two pods, the first of which may speak TCP to the second, and that is all."""

    def attach(self) -> None:
        """Let our programs carry the pods' packets, and hold them to their rule sets."""
        for pod in self.pods:
            identity = _FIRST_IDENTITY + pod.number
            endpoint = evolve(pod.endpoint(identity), rule_set=self._rules.slot(identity))
            self.node.call(self.datapath.add_endpoint, endpoint)

    def install(self) -> None:
        """Write the rule sets, and who has which address."""
        self._rules = self.node.call(PolicyMaps.open, self.datapath)
        one, two = (_FIRST_IDENTITY + pod.number for pod in self.pods)
        for own, peer, direction in ((one, two, Direction.EGRESS), (two, one, Direction.INGRESS)):
            entries = {PolicyKey.of(direction, peer, _TCP): PolicyEntry(16)}
            rule_set = RuleSet(entries, default_deny_ingress=True, default_deny_egress=True)
            self.node.call(self._rules.install, self._rules.slot(own), rule_set)
        addresses = self.node.call(IpcacheMaps.open, self.datapath, self._rules.runtime)
        identities = zip(self.pods, (one, two), strict=True)
        known = {a: Remote(i) for pod, i in identities for a in pod.addresses}
        self.node.call(addresses.replace, known)


@contextmanager
def under_policies(entries: Mapping[str, int]) -> Iterator[Carried]:
    """A node with two pods under default deny; entries are those of maps."""
    with Node() as node:
        datapath = node.call(lambda: Datapath.open(node.bpffs, entries=entries))
        try:
            made = _UnderPolicies(node, datapath, [node.add_pod() for _ in range(2)])
            made.link({"tc": pipeline_objects()})
            made.install()
            yield made
        finally:
            node.call(datapath.remove)


@contextmanager
def carried(pods: int) -> Iterator[Carried]:
    """A node with so many pods, with plugins/tc linked in and nothing attached."""
    with Node() as node:
        datapath = node.call(Datapath.open, node.bpffs)
        try:
            made = Carried(node, datapath, [node.add_pod() for _ in range(pods)])
            made.link({"tc": tc_objects()})
            yield made
        finally:
            node.call(datapath.remove)
