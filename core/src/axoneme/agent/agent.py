# SPDX-License-Identifier: Apache-2.0
"""The agent process: it reads its configuration, links, attaches, and swaps when that changes.

It ends on SIGTERM or SIGINT and leaves everything attached; the next agent finds it by its pins.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import define, field, fields

from axoneme.cni import Attachments, do_kept, serve_cni
from axoneme.config import AgentConfig, Effect, read_config
from axoneme.errors import AxonemeError
from axoneme.host import Status
from axoneme.net import Netlink
from axoneme.sources import EmbeddedSource
from axoneme.sources.watcher import Watcher

from .cluster import Cluster
from .cni import PodNetwork
from .collecting import Collecting
from .costs import count_runs, lane_costs
from .engine import Engine
from .explaining import Explainer, SocketPeers
from .findings import what_is_wrong
from .identities import IdentityKeeper
from .kernel_settings import KernelSettings
from .listing import listings
from .metrics import Filling, LogCounter, MeasuredCni, Measures, exposition, serve_metrics
from .notes import Notes
from .observing import Observing
from .reconcilers import Reconcilers, Repair
from .server import serve
from .status import describe
from .vanished import forget_vanished

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from axoneme.datapath import Carried

_log = logging.getLogger(__name__)
#: Seconds between two looks at whether everything still is as we left it.
_REPAIR_PERIOD = 10.0
#: Seconds in which whoever writes the configuration in place may come to the end.
_SETTLE_SECONDS = 0.05
_CONFIG, _NODES, _ENDPOINTS, _MANIFESTS = "config", "nodes", "endpoints", "manifests"


@define
class Agent:
    """One node's agent."""

    config_path: Path
    engine: Engine
    cluster: Cluster
    pods: PodNetwork
    settings: KernelSettings
    measures: Measures = field(factory=Measures)
    filling: Filling = field(init=False)
    observing: Observing = field(init=False)
    started: float = field(factory=time.monotonic, init=False)
    notes: Notes = field(factory=Notes, init=False)
    collecting: Collecting = field(init=False)
    #: The settings that this process started with.
    _first: AgentConfig = field(init=False)
    _config_text: bytes = field(default=b"", init=False)
    _stopped: asyncio.Event = field(factory=asyncio.Event, init=False)

    @filling.default
    def _filling(self) -> Filling:
        return Filling(self.engine.datapath, self.measures)

    def __attrs_post_init__(self) -> None:
        """Collect what this agent's programs track."""
        datapath = self.engine.datapath
        self.collecting = Collecting(datapath, self.notes.note, self.measures.collected)
        self._first = self.engine.configuration.agent

    @classmethod
    def start(cls, config_path: Path) -> Agent:
        """Read the configuration, load the datapath and join the cluster.

        What an earlier agent attached goes on; `run` puts everything else in effect.

        Raises:
            AxonemeError: the configuration is wrong, or this is no place for a datapath.
        """
        text = config_path.read_bytes() if config_path.exists() else b""
        measures = Measures()
        logging.getLogger().addHandler(LogCounter(measures))
        with measures.starting("datapath"):
            engine = Engine.open(lambda host: read_config(config_path, host))
        source = EmbeddedSource(engine.configuration.agent.state_dir)
        source.create()
        cluster = Cluster.open(engine, source)
        pods, problems = open_pods(cluster)
        settings = KernelSettings(
            engine.configuration.agent.run_dir, engine.configuration.agent.uplinks
        )
        agent = cls(config_path, engine, cluster, pods, settings, measures)
        agent.observing = Observing.open(cluster, agent.notes.note)
        agent._config_text = text
        agent.notes.start = tuple(map(agent.notes.note, problems))
        for problem in agent._not_enforcing():
            agent.notes.note(problem)
        agent._tell_of_carried(engine.datapath.carried)
        return agent

    def _not_enforcing(self) -> list[str]:
        return [
            what_is_wrong(state)
            for state in self.engine.host.plugins()
            if state.status is Status.REJECTED
        ]

    async def put_in_effect(self) -> None:
        """Undo what an earlier agent had begun, and attach all endpoints that there are."""
        for done in await self.pods.recover():
            _log.info("%s", done)
        for done in self._keep_settings():
            _log.info("%s", done)
        self._sync_nodes()
        self.cluster.sync_manifests()
        self.sync()
        stale = self.engine.forget_others()
        self._tell_of_carried(self.engine.datapath.carried)
        if stale:
            _log.info("removed what an earlier agent left: %s", ", ".join(stale))

    async def run(self) -> None:
        """Watch, serve and repair until a signal ends it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        run_dir = self._run_dir
        serve_addr = self.engine.configuration.agent.prometheus_serve_addr
        # What changes from here on is told, also while what there is is put in effect.
        with Watcher(self._directories()) as watcher:
            with self.measures.starting("endpoints"):
                await self.put_in_effect()
            async with (
                serve(run_dir, self._methods(), {"monitor": self.observing.follow}),
                serve_cni(run_dir, MeasuredCni(self.pods, self.measures)),
                serve_metrics(serve_addr, lambda: exposition(self), self.notes.note),
            ):
                works = (
                    self._watch(watcher),
                    self._repair(),
                    self.collecting.run(),
                    self.filling.run(),
                    self.observing.run(),
                )
                tasks = [asyncio.create_task(work) for work in works]
                _log.info("ready: %d endpoints", len(self.engine.datapath.endpoints))
                await self._stopped.wait()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        self.pods.close()
        self.engine.close()

    @property
    def _run_dir(self) -> Path:
        return self.engine.configuration.agent.run_dir

    def _methods(self) -> Mapping[str, object]:
        explainer = Explainer(self.cluster, SocketPeers())
        return {
            "status": lambda: describe(self),
            "metrics": lambda: exposition(self),
            "reload": self.reload_now,
            "retry": self.retry,
            "runs": lambda: count_runs(self.engine.datapath),
            "costs": lambda: lane_costs(self.engine.datapath),
            "explain": explainer.explain,
            "follow": explainer.follow,
            **listings(self.cluster),
        }

    def reload(self) -> None:
        """Read the configuration again; what is wrong is noted."""
        with suppress(AxonemeError):
            self.reload_now()

    def reload_now(self) -> str:
        """Read the configuration again; what came of it, for people.

        Raises:
            AxonemeError: it is refused, and the old one stays.
        """
        try:
            self._config_text = self.config_path.read_bytes()
            configuration = read_config(self.config_path, self.engine.host)
            applied = self.engine.reconfigure(configuration)
            self.measures.swapped(applied, len(self.engine.datapath.endpoints))
        except (AxonemeError, OSError) as error:
            text = f"the configuration is refused, the old one stays: {error}"
            raise self._refuse(text) from error
        self.observing.configure()
        if applied.swap is None:
            text = f"the swap is refused, the old datapath stays: {applied.refusal}"
            raise self._refuse(text)
        self.notes.refused = ()
        self.notes.fixed = tuple(map(self.notes.note, self._fixed(configuration.agent)))
        text = f"swapped {applied.swap.updated} places in {applied.swap.seconds * 1e3:.1f} ms"
        _log.info("%s", text)
        self._tell_of_carried(applied.swap.carried)
        return text

    def _tell_of_carried(self, carried: Iterable[Carried]) -> None:
        """Say what became of rows whose map has another layout now; a loss is a problem."""
        for one in carried:
            if one.problem or one.left:
                self.notes.note(str(one))
            else:
                _log.info("%s", one)

    def _fixed(self, now: AgentConfig) -> Iterator[str]:
        """Name the keys that were changed and are read at the start only."""
        fixed = Effect.START.name
        keys = (f.name for f in fields(AgentConfig) if f.metadata.get("effect", fixed) == fixed)
        for key in (k for k in keys if getattr(self._first, k) != getattr(now, k)):
            name = f"agent.{key.replace('_', '-')}"
            yield f"{name} has changed: it takes effect when the agent is started again"

    def retry(self, plugin: str) -> str:
        """Give a rejected or quarantined plugin another chance."""
        state = self.engine.retry(plugin)
        return f"{plugin} is {state.status}" + (f": {state.reason}" if state.reason else "")

    def sync(self) -> None:
        """Make the endpoints those of the source."""
        self.cluster.sync_endpoints()
        self._note_cluster()

    def _note_cluster(self) -> None:
        for problem in (*self.cluster.problems, *self.settings.problems):
            self.notes.note(problem)

    def _refuse(self, text: str) -> AxonemeError:
        """Note that the configuration on disk is not the one in effect."""
        self.notes.refused = (self.notes.note(text),)
        return AxonemeError(text)

    def _directories(self) -> dict[str, Path]:
        """What is watched. Of the configuration its directory, since editors replace the file."""
        source = self.cluster.source
        return {
            _CONFIG: self.config_path.parent,
            _NODES: source.nodes.directory,
            _ENDPOINTS: source.endpoints,
            _MANIFESTS: self.cluster.reader.directory,
        }

    async def _watch(self, watcher: Watcher) -> None:
        """Put in effect what others write, as soon as they have."""
        async for changed in watcher:
            try:
                self._follow(changed)
            except (AxonemeError, OSError) as error:
                self.notes.note(str(error))
            if _CONFIG in changed and self._config_changed():
                await asyncio.sleep(_SETTLE_SECONDS)
                self.reload()

    def _follow(self, changed: Collection[str]) -> None:
        if _NODES in changed:
            self._sync_nodes()
        relabelled = _MANIFESTS in changed and self._sync_manifests()
        if relabelled or _NODES in changed:
            self.cluster.sync_endpoints()
        elif _ENDPOINTS in changed:
            self.cluster.follow_endpoints()
        self._note_cluster()

    def _sync_manifests(self) -> bool:
        with self.measures.policy_change():
            return self.cluster.sync_manifests()

    def _sync_nodes(self) -> None:
        self.cluster.sync_nodes()
        self.pods.budget = self.engine.network.budget()

    def _config_changed(self) -> bool:
        """Whether there is another text; none at all is one that is being replaced or written."""
        try:
            text = self.config_path.read_bytes()
        except OSError:
            return False
        return bool(text) and text != self._config_text

    def _reconcilers(self) -> Reconcilers:
        reconcilers = Reconcilers()
        for name, repair in (
            ("settings of the kernel", self._keep_settings),
            ("the datapath", self.engine.repair),
            ("the maps of the cluster", self.cluster.repair),
            ("the links of pods", self.pods.repair),
            ("what the source says", self._follow_all),
            ("pods that have gone", self._forget_vanished),
            ("identities", IdentityKeeper(self.cluster).keep),
        ):
            reconcilers.add(Repair(name, repair))
        return reconcilers

    def _follow_all(self) -> tuple[()]:
        """Read nodes and endpoints once more, should a change not have been told."""
        self._follow({_NODES, _ENDPOINTS})
        return ()

    def _keep_settings(self) -> list[str]:
        own = (record.addresses for record in self.cluster.own_endpoints())
        versions = {address.version for addresses in own for address in addresses}
        versions |= {network.version for network in self.cluster.member.record.pod_cidrs}
        return self.settings.keep(self.pods.netlink, versions)

    def _forget_vanished(self) -> list[str]:
        pods = self.pods
        return forget_vanished(self.cluster, pods.attachments, pods.netlink)

    async def _repair(self) -> None:
        reconcilers = self._reconcilers()
        while True:
            await asyncio.sleep(_REPAIR_PERIOD)
            with self.measures.round() as found:
                found.extend(reconcilers.repair())
            for finding in found:
                self.notes.note(str(finding))
            for problem in await do_kept(self._run_dir, self.pods):
                self.notes.note(problem)
            self._note_cluster()


def open_pods(cluster: Cluster) -> tuple[PodNetwork, list[str]]:
    """The CNI of a node, with the addresses that its pods have had, and what is wrong with them."""
    run_dir = cluster.engine.configuration.agent.run_dir
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    attachments, netlink = Attachments(run_dir / "attachments"), Netlink()
    for gone in forget_vanished(cluster, attachments, netlink):
        _log.warning("%s", gone)
    owners = {str(r): r.addresses for r in cluster.own_endpoints()}
    owners |= {one.owner: one.addresses for one in attachments.all()}
    for one in attachments.all():
        owners.pop(f"{one.namespace}/{one.name}", None)
    problems = [*map(str, attachments.problems), *cluster.member.addresses.restore(owners)]
    pods = PodNetwork(
        netlink=netlink,
        attachments=attachments,
        addresses=cluster.member.addresses,
        identities=cluster,
        endpoints=cluster,
        datapath=cluster,
        budget=cluster.engine.network.budget(),
        node_addresses=cluster.member.record.addresses,
    )
    return pods, problems
