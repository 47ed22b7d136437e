# SPDX-License-Identifier: Apache-2.0
"""A node whose pods our programs carry, or the kernel alone."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from tests.bench.results import BenchError

from axoneme import PluginObject
from axoneme.datapath import Datapath, Verdict
from axoneme.testing import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from axoneme.datapath import Swap
    from axoneme.testing import Pod

_FIRST_IDENTITY = 1000


def tc_objects() -> list[PluginObject]:
    """The objects of plugins/tc that carry packets."""
    return _objects("admit", "forward")


def pipeline_objects() -> list[PluginObject]:
    """The objects of plugins/tc that a packet between two pods comes by, with policy on."""
    return _objects("admit", "track", "policy", "forward")


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
