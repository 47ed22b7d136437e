# SPDX-License-Identifier: Apache-2.0
"""Pipelines: an engine at work in a node of the test kit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from axoneme.agent import Engine
from axoneme.config import parse_config
from axoneme.datapath import LibbpfLoader
from axoneme.host import entry_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.metadata import EntryPoint
    from types import TracebackType

    from prometheus_client import Metric

    from axoneme.agent import Applied
    from axoneme.datapath import Datapath, Step, TestRun
    from axoneme.testing.nodes import Node
    from axoneme.testing.pods import Pod

_FIRST_IDENTITY = 1000


def installed_plugins() -> set[str]:
    """The names of all plugins that are installed here."""
    return {entry.name for entry in entry_points()}


class Pipeline:
    """Plugins linked and attached in a node; pods are added, packets run, drops read.

    `toml` has the plugins' sections; [agent] is written by the kit.
    """

    def __init__(
        self,
        node: Node,
        plugins: Sequence[str],
        toml: str = "",
        *,
        uplinks: Sequence[str] = (),
        entry_points: Callable[[], Iterable[EntryPoint]] = entry_points,
    ) -> None:
        self.node = node
        self.plugins = tuple(plugins)
        self.uplinks = tuple(uplinks)
        self.engine = node.call(
            Engine.open,
            lambda host: parse_config(self._text(toml), host, name="the test's configuration"),
            entry_points=entry_points,
        )

    @property
    def datapath(self) -> Datapath:
        """The datapath; call it in the node: pipeline.node.call(pipeline.datapath.counts)."""
        return self.engine.datapath

    def _text(self, toml: str) -> str:
        rows = [
            "[agent]",
            f"plugins = {list(self.plugins)!r}".replace("'", '"'),
            f'bpffs = "{self.node.bpffs}"',
            f'cgroup = "{self.node.cgroup}"',
            f"uplinks = {list(self.uplinks)!r}".replace("'", '"'),
            "bpf-map-dynamic-size-ratio = 0.0",  # as small as may be: tests make many nodes
            toml,
        ]
        return "\n".join(rows)

    def configure(self, toml: str, *, plugins: Sequence[str] | None = None) -> Applied:
        """Put other sections, or other plugins, in effect by a hot swap."""
        if plugins is not None:
            self.plugins = tuple(plugins)
        host = self.engine.host
        configuration = parse_config(self._text(toml), host, name="the test's configuration")
        return self.node.call(self.engine.reconfigure, configuration)

    def add_pod(self, name: str | None = None, *, identity: int | None = None) -> Pod:
        """A pod whose link the trunks are attached to."""
        pod = self.node.add_pod(name)
        number = _FIRST_IDENTITY + pod.number if identity is None else identity
        self.node.call(self.engine.add_endpoint, pod.endpoint(number))
        return pod

    def run(self, trunk: str, packet: bytes, *, pod: Pod | None = None) -> TestRun:
        """Run a trunk on a packet as if the pod had sent it (or as if it came to the pod)."""
        ifindex = pod.ifindex if pod else 1
        return self.node.call(self.datapath.run, trunk, packet, ifindex=ifindex)

    def probe(
        self, trunk: str, packet: bytes, *, pod: Pod | None = None
    ) -> tuple[TestRun, tuple[Step, ...]]:
        """Run a trunk as a probe, which changes nothing; with each lane's answer."""
        ifindex = pod.ifindex if pod else 1
        return self.node.call(self.datapath.probe, trunk, packet, ifindex=ifindex)

    def counted(self, trunk: str, verdict: str = "PASS") -> int:
        """Packets that a trunk gave a verdict."""
        counts = self.node.call(self.datapath.counts)
        return sum(c.packets for c in counts if (c.trunk, c.verdict.name) == (trunk, verdict))

    def dropped(self, reason: str) -> int:
        """Packets that have been dropped for a reason, by its name."""
        drops = self.node.call(self.datapath.drops)
        return sum(drop.packets for drop in drops if drop.reason.name == reason)

    def drop_reasons(self) -> dict[str, int]:
        """Packets dropped, by the reason's name."""
        drops = self.node.call(self.datapath.drops)
        return {name: self.dropped(name) for name in sorted({d.reason.name for d in drops})}

    def metrics(self) -> dict[str, tuple[Metric, ...]]:
        """Each plugin's metric families."""
        return self.node.call(self.engine.host.hooks.axoneme_metrics, datapath=self.datapath)

    def sample(self, name: str, **labels: str) -> float:
        """The plugins' samples of this name and these labels, added up; none are 0."""
        return sum(
            sample.value
            for metrics in self.metrics().values()
            for metric in metrics
            for sample in metric.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def loader(self, plugin: str) -> str:
        """The loader that has the plugin's objects."""
        sources = self.datapath.assembly.sources
        own = {s.source.loader for s in sources if s.source.plugin == plugin}
        return own.pop() if own else LibbpfLoader.name

    def status(self, plugin: str) -> str:
        """A plugin's state, as "on" or "rejected: why"."""
        (state,) = (s for s in self.engine.host.plugins() if s.name == plugin)
        return f"{state.status}: {state.reason}" if state.reason else str(state.status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Detach everything and remove the pins."""
        self.node.call(self.engine.remove)
