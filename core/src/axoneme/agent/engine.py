# SPDX-License-Identifier: Apache-2.0
"""The engine: host and datapath together, without files, sockets or a loop of its own."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import asdict, define, field, frozen

from axoneme.config import Configuration
from axoneme.datapath import Datapath, supported
from axoneme.datapath.sizes import dynamic_entries, machine_memory
from axoneme.errors import DatapathError, PluginError
from axoneme.host import PluginHost, Status, entry_points

from .core import CoreHooks
from .devices import find_devices, remove_stale_filters
from .node_network import open_network
from .overlay import OVERLAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from axoneme.config import AgentConfig
    from axoneme.datapath import Assembly, Swap
    from axoneme.host import PluginState
    from axoneme.model import Endpoint, PluginObject

    from .node_network import NodeNetwork


@frozen
class Applied:
    """What became of a configuration: the swap, or why the old datapath stays."""

    swap: Swap | None
    refusal: str = ""


@define
class Engine:
    """Plugins that are on, linked, attached, and told of every endpoint.

    All calls are made by one thread, in the node's namespaces.
    """

    host: PluginHost
    datapath: Datapath
    network: NodeNetwork
    configuration: Configuration = field(factory=Configuration, init=False)
    #: What the plugins in effect gave, and what they gave last.
    _objects: dict[str, tuple[PluginObject, ...]] = field(factory=dict, init=False)
    _offered: dict[str, tuple[PluginObject, ...]] = field(factory=dict, init=False)

    @classmethod
    def open(
        cls,
        read: Callable[[PluginHost], Configuration],
        *,
        entry_points: Callable[[], Iterable[EntryPoint]] = entry_points,
    ) -> Engine:
        """Read a configuration, open the datapath it names, and put it in effect.

        A plugin whose object cannot be used is rejected, and the rest runs. Not so if an earlier
        agent left it here and it keeps packets out: then all that is attached stays as it is.

        Raises:
            ConfigError: the configuration is wrong.
            DatapathError: this is no place where the datapath can run, or a plugin that guards
                pods would be lost.
            NetworkError: an uplink is not there.
        """
        core = CoreHooks()
        host = PluginHost(core=core, entry_points=entry_points)
        configuration = read(host)
        agent = configuration.agent
        core.bpffs = agent.bpffs
        network = open_network(agent)
        datapath = Datapath.open(
            agent.bpffs,
            cgroup=agent.cgroup,
            uplinks=find_devices(agent.uplinks),
            overlays=find_devices([OVERLAY] if network.tunnel else []),
            entries=_entries(agent),
            find_loader=lambda name: host.hooks.axoneme_loader(name=name),
        )
        engine = cls(host, datapath, network)
        host.reconfigure(configuration)
        assembly = engine._assemble()
        engine._check_guards(assembly, agent.plugins)
        engine._commit(assembly)
        engine.configuration = configuration
        return engine

    def _check_guards(self, assembly: Assembly, wanted: Iterable[str]) -> None:
        guarding = self.datapath.pins.guarding() & set(wanted)
        lost = guarding - _plugins(assembly) - self._idle()
        if not lost:
            return
        assembly.close()
        reasons = {s.name: s.reason for s in self.host.plugins() if s.name in lost}
        self.close()
        raise DatapathError(
            "what an earlier agent has attached stays as it is, since without "
            f"{' and '.join(sorted(lost))} more packets would pass: "
            + "; ".join(f"{name}: {reasons.get(name, '')}" for name in sorted(lost))
            + "; correct it, or take it out of agent.plugins"
        )

    def _commit(self, assembly: Assembly) -> Swap:
        enabled = [s.name for s in self.host.plugins() if s.status is not Status.OFF]
        swap = self.datapath.commit(assembly, keep=enabled)
        in_effect = _plugins(assembly)
        self._objects = {n: o for n, o in self._offered.items() if n in in_effect}
        return swap

    @property
    def bpffs(self) -> Path:
        """Where this node's maps and links are pinned."""
        return self.datapath.pins.bpffs

    def reconfigure(
        self, configuration: Configuration, objection: Callable[[], str] = str
    ) -> Applied:
        """Put another configuration in effect by a hot swap.

        If a plugin that runs would be lost by it (its new knobs or its new version are refused),
        nothing is swapped: the old datapath and the old configuration stay. So it is if
        `objection`, which is asked while plugins have their new sections, returns a sentence. A
        plugin that is new and refused is rejected, and the rest is swapped.
        """
        running = self._plugins_in_effect()
        change = self.host.reconfigure(configuration)
        assembly = self._assemble()
        lost = running & set(configuration.agent.plugins) - _plugins(assembly) - self._idle()
        if lost:
            assembly.close()
            reasons = {s.name: s.reason for s in self.host.plugins() if s.name in lost}
            self.host.reconfigure(self.configuration)
            return Applied(None, "; ".join(f"{n}: {reasons[n]}" for n in sorted(lost)))
        refusal = objection()
        if refusal:
            assembly.close()
            self.host.reconfigure(self.configuration)
            return Applied(None, refusal)
        try:
            swap = self._commit(assembly)
        except DatapathError as error:
            self.host.reconfigure(self.configuration)
            return Applied(None, str(error))
        self.configuration = configuration
        for plugin in change.added:
            self._tell_of_endpoints(plugin)
        return Applied(swap)

    def retry(self, plugin: str) -> PluginState:
        """Give a rejected or quarantined plugin another chance; its state afterwards.

        Raises:
            PluginRejected: it is not enabled.
        """
        if self.host.retry(plugin).status is Status.ON:
            self.reconfigure(self.configuration)
            self._tell_of_endpoints(plugin)
        (state,) = (s for s in self.host.plugins() if s.name == plugin)
        return state

    def _assemble(self) -> Assembly:
        """Assemble what the plugins offer; those at fault leave, until the rest is whole.

        A plugin that runs and is quarantined keeps its stages, with the objects that it gave last:
        a fault in Python must not open what its programs close.
        """
        while True:
            objects = self.host.hooks.axoneme_objects()
            quarantined = {s.name for s in self.host.plugins() if s.status is Status.QUARANTINED}
            for plugin in quarantined & self._objects.keys():
                objects[plugin] = self._objects[plugin]
            assembly = self.datapath.prepare(objects)
            for refused in assembly.refused:
                self.host.reject(refused.plugin, refused.reason)
            before = self.host.enabled()
            self.host.hooks.axoneme_fill(datapath=self.datapath)
            if self.host.enabled() == before:
                self._offered = objects
                return assembly
            assembly.close()

    def _plugins_in_effect(self) -> set[str]:
        return _plugins(self.datapath.assembly)

    def _idle(self) -> set[str]:
        """Plugins that are on and have no object now, which is no loss."""
        return {name for name in self.host.enabled() if not self._offered.get(name)}

    def _tell_of_endpoints(self, plugin: str) -> None:
        with suppress(PluginError):
            for endpoint in self.datapath.endpoints.values():
                self.host.call(
                    "axoneme_endpoint_added", plugin, endpoint=endpoint, datapath=self.datapath
                )

    def add_endpoint(self, endpoint: Endpoint) -> None:
        """Attach an endpoint and tell the plugins; again with the same is no change."""
        old = self.datapath.endpoints.get(endpoint.id)
        if old == endpoint:
            return
        self.datapath.add_endpoint(endpoint)
        if old is not None:
            self.host.hooks.axoneme_endpoint_removed(endpoint=old, datapath=self.datapath)
        self.host.hooks.axoneme_endpoint_added(endpoint=endpoint, datapath=self.datapath)

    def remove_endpoint(self, endpoint_id: int) -> None:
        """Detach an endpoint and tell the plugins; nothing happens if it is not there."""
        endpoint = self.datapath.endpoints.get(endpoint_id)
        if endpoint is None:
            return
        self.datapath.remove_endpoint(endpoint_id)
        self.host.hooks.axoneme_endpoint_removed(endpoint=endpoint, datapath=self.datapath)

    def forget_others(self) -> list[str]:
        """Remove what an earlier agent left and no endpoint accounts for; the names."""
        stale = self.datapath.forget_others()
        if not supported("tcx"):
            pods = {endpoint.ifindex for endpoint in self.datapath.endpoints.values()}
            others = (*self.datapath.uplinks, *self.datapath.overlays)
            stale += remove_stale_filters(pods | {device.ifindex for device in others})
        return stale

    def repair(self) -> list[str]:
        """Make again what others undid: the way to other nodes, the datapath; what it was."""
        found = self.network.repair()  # first: it makes the device that the datapath attaches to
        return found + [str(drift) for drift in self.datapath.repair()]

    def close(self) -> None:
        """Let the plugins stop, and let go: what is attached and pinned goes on."""
        self.host.stop()
        self.datapath.close()

    def remove(self) -> None:
        """Let the plugins stop, and leave the node as it was before us."""
        self.host.stop()
        self.datapath.remove()
        self.network.remove()


def _entries(agent: AgentConfig) -> dict[str, int]:
    """The sizes of maps: those that are said, and those that follow from the machine's memory."""
    said = {name: size for name, size in asdict(agent.map_entries).items() if size is not None}
    return dynamic_entries(machine_memory(), agent.bpf_map_dynamic_size_ratio) | said


def _plugins(assembly: Assembly) -> set[str]:
    parts = {p.plugin for image in assembly.images.values() for p in image.linked.parts}
    return parts | {s.source.plugin for s in assembly.sources}
