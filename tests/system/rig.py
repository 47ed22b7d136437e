# SPDX-License-Identifier: Apache-2.0
"""A datapath at work in a node, without a host: plugins are given as their objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme._bpf import lib
from axoneme.datapath import Datapath
from axoneme.datapath._kernel import LinkInfo, link_info
from axoneme.datapath.pins import open_pin
from axoneme.testing import plugin_codec, plugin_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme import PluginObject
    from axoneme.datapath import Assembly, Drift, Swap
    from axoneme.testing import Node, Pod

_IDENTITY = 1000
_TALLY = """
    #include <axoneme/plugin.h>

    struct {
        __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
        __uint(max_entries, 8);
        __type(key, __u32);
        __type(value, __u64);
    } tally_packets SEC(".maps");

    AXN_STAGE(track)
    {
        __u32 trunk = packet->trunk;
        __u64 *count = bpf_map_lookup_elem(&tally_packets, &trunk);

        if (count && packet->tuple.dport == bpf_htons(9000))
            (*count)++;
        return AXN_NEXT;
    }
"""
_TRUNKS = ("from_pod", "to_pod", "from_uplink", "to_uplink")


def tally() -> PluginObject:
    """The object of a plugin that counts what a test sends."""
    return plugin_object(_TALLY, "tally")


class Rig:
    """One node, its datapath, and pods that are attached to it."""

    def __init__(self, node: Node, **options: Any) -> None:
        self.node = node
        self._options = options
        self.open()

    def open(self) -> None:
        """Open the datapath, as an agent that starts."""
        self.datapath = self.call(Datapath.open, self.node.bpffs, **self._options)

    def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Run a function in the node."""
        return self.node.call(function, *args, **kwargs)

    def prepare(self, **plugins: PluginObject | Iterable[PluginObject]) -> Assembly:
        """Link and load plugins, each with its object or objects."""
        lists = {n: list(o) if isinstance(o, list | tuple) else [o] for n, o in plugins.items()}
        return self.call(self.datapath.prepare, lists)

    def put(self, **plugins: PluginObject | Iterable[PluginObject]) -> Swap:
        """Put these plugins in effect; none of them may be refused."""
        assembly = self.prepare(**plugins)
        assert assembly.refused == []
        return self.call(self.datapath.commit, assembly)

    def refusals(self, **plugins: PluginObject | Iterable[PluginObject]) -> dict[str, str]:
        """Prepare plugins and let go of them: which are refused, and why."""
        assembly = self.prepare(**plugins)
        self.call(assembly.close)
        return {refused.plugin: refused.reason for refused in assembly.refused}

    def add_pod(self, name: str | None = None) -> Pod:
        """A new pod, attached."""
        pod = self.node.add_pod(name)
        self.attach(pod)
        return pod

    def attach(self, *pods: Pod) -> None:
        """Attach pods that are there."""
        for pod in pods:
            self.call(self.datapath.add_endpoint, pod.endpoint(_IDENTITY + pod.number))

    def restart(self, *pods: Pod, **plugins: PluginObject) -> None:
        """End the agent and start another, with plugins and pods."""
        self.call(self.datapath.close)
        self.open()
        self.put(**plugins)
        self.attach(*pods)
        self.call(self.datapath.forget_others)

    def tallied(self, trunk: str) -> int:
        """Packets of tests that the plugin `tally` has seen in a trunk."""
        table = self.datapath.table("tally_packets", plugin_codec(tally()))
        return sum(table[_TRUNKS.index(trunk)])

    def counted(self, trunk: str, verdict: str = "PASS") -> int:
        """Packets that a trunk gave a verdict."""
        counts = self.call(self.datapath.counts)
        return sum(c.packets for c in counts if (c.trunk, c.verdict.name) == (trunk, verdict))

    def dropped(self, reason: str) -> int:
        """Packets dropped for a reason."""
        return sum(d.packets for d in self.call(self.datapath.drops) if d.reason.name == reason)

    def drift(self) -> list[Drift]:
        """What is not as it was left."""
        return self.call(self.datapath.drift)

    def links(self) -> dict[str, LinkInfo]:
        """The pinned links by name."""
        return {path.name: self.link(path.name) for path in self._link_paths()}

    def _link_paths(self) -> list[Any]:
        return self.call(lambda: sorted(self.datapath.pins.links.iterdir()))

    def link(self, name: str) -> LinkInfo:
        """A pinned link."""
        return self.call(_with_pin, self.datapath.pins.links / name, link_info)

    def force_detach(self, name: str) -> None:
        """Detach a pinned link, as a stranger with the right tool does."""
        assert self.call(_with_pin, self.datapath.pins.links / name, lib.bpf_link_detach) == 0

    def maps(self) -> set[str]:
        """The names of the pinned maps."""
        return {path.name for path in self.call(lambda: list(self.datapath.pins.maps.iterdir()))}

    def close(self) -> None:
        """Remove everything."""
        self.call(self.datapath.remove)


def _with_pin(path: Any, function: Any) -> Any:
    import os

    fd = open_pin(path)
    try:
        return function(fd)
    finally:
        os.close(fd)
