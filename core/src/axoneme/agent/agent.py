# SPDX-License-Identifier: Apache-2.0
"""The agent process: it reads its configuration, links, attaches, and swaps when that changes.

It ends on SIGTERM or SIGINT and leaves everything attached; the next agent finds it by its pins.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.cni import Attachments, do_kept, serve_cni
from axoneme.config import read_config
from axoneme.host import Status
from axoneme.net import Netlink
from axoneme.sources import EmbeddedSource
from axoneme.sources.watcher import Watcher

from .address_lists import address_listings
from .cluster import Cluster
from .cni import PodNetwork
from .collecting import Collecting
from .costs import count_runs, lane_costs
from .engine import Engine
from .explaining import Explainer, SocketPeers
from .findings import what_is_wrong
from .following import Following
from .identities import IdentityKeeper
from .ipam import PodIpam
from .kernel_settings import KernelSettings
from .listing import listings
from .metrics import Filling, LogCounter, MeasuredCni, Measures, exposition, serve_metrics
from .notes import Notes
from .observing import Observing
from .pool_watch import PoolWatch
from .reconcilers import Reconcilers, Repair
from .reloading import Reloading
from .server import serve
from .status import describe
from .tasks import Task, running
from .vanished import forget_vanished

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .pool_watch import CrowdedPool

_log = logging.getLogger(__name__)
#: Seconds between two looks at whether everything still is as we left it.
_REPAIR_PERIOD = 10.0


@define
class Agent:
    """One node's agent."""

    engine: Engine
    cluster: Cluster
    pods: PodNetwork
    ipam: PodIpam
    settings: KernelSettings
    measures: Measures
    notes: Notes
    observing: Observing
    reloading: Reloading
    following: Following = field(init=False)
    filling: Filling = field(init=False)
    collecting: Collecting = field(init=False)
    pool_watch: PoolWatch = field(factory=PoolWatch, init=False)
    started: float = field(factory=time.monotonic, init=False)
    _stopped: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        """Make what works on these parts."""
        datapath, notes, measures = self.engine.datapath, self.notes, self.measures
        self.following = Following(
            self.cluster, self.pods, self.ipam, self.settings, measures, notes
        )
        self.filling = Filling(datapath, measures)
        self.collecting = Collecting(datapath, notes.note, measures.collected)

    @classmethod
    def start(cls, config_path: Path) -> Agent:
        """Read the configuration, load the datapath and join the cluster.

        What an earlier agent attached goes on; `run` puts everything else in effect.

        Raises:
            AxonemeError: the configuration is wrong, or this is no place for a datapath.
        """
        text = config_path.read_bytes() if config_path.exists() else b""
        measures, notes = Measures(), Notes()
        logging.getLogger().addHandler(LogCounter(measures))
        with measures.starting("datapath"):
            engine = Engine.open(lambda host: read_config(config_path, host))
        configured = engine.configuration.agent
        source = EmbeddedSource(configured.state_dir)
        source.create()
        cluster = Cluster.open(engine, source)
        pods, ipam, problems = open_pods(cluster)
        settings = KernelSettings(configured.run_dir, configured.uplinks)
        observing = Observing.open(cluster)
        followers = [observing.configure, ipam.reconfigure]
        reloading = Reloading(config_path, engine, measures, notes, ipam.objection, followers, text)
        agent = cls(engine, cluster, pods, ipam, settings, measures, notes, observing, reloading)
        notes.start = tuple(map(notes.note, problems))
        for problem in agent._not_enforcing():
            notes.note(problem)
        notes.carried(engine.datapath.carried)
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
        self.following.begin()
        stale = self.engine.forget_others()
        self.notes.carried(self.engine.datapath.carried)
        if stale:
            _log.info("removed what an earlier agent left: %s", ", ".join(stale))

    async def run(self) -> None:
        """Watch, serve and repair until a signal ends it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self.reloading.reload)
        run_dir = self._run_dir
        serve_addr = self.engine.configuration.agent.prometheus_serve_addr
        # What changes from here on is told, also while what there is is put in effect.
        with (
            Watcher({"config": self.reloading.path.parent}) as config,
            Watcher(self.following.directories()) as source,
        ):
            with self.measures.starting("endpoints"):
                await self.put_in_effect()
            async with (
                serve(run_dir, self._methods(), {"monitor": self.observing.follow}),
                serve_cni(run_dir, MeasuredCni(self.pods, self.measures)),
                serve_metrics(serve_addr, lambda: exposition(self), self.notes.note),
                running(self._tasks(config, source), self.notes.fault),
            ):
                _log.info("ready: %d endpoints", len(self.engine.datapath.endpoints))
                await self._stopped.wait()
        self.observing.close()
        self.pods.close()
        self.engine.close()

    def _tasks(self, config: Watcher, source: Watcher) -> tuple[Task, ...]:
        return (
            Task("following the configuration", lambda: self.reloading.run(config)),
            Task("following the source", lambda: self.following.run(source)),
            Task("repairing", self._repair),
            Task("collecting conntrack", self.collecting.run),
            Task("counting the rows of maps", self.filling.run),
            Task("reading events", self.observing.read),
            Task("counting lost events", self.observing.count),
        )

    @property
    def _run_dir(self) -> Path:
        return self.engine.configuration.agent.run_dir

    def look_at_pools(self) -> list[CrowdedPool]:
        """The pools of this node that run dry; when one begins to, that is logged."""
        ipam = self.ipam
        return self.pool_watch.look(ipam.pools, ipam.ledger.usage(), self.cluster.record.ipam)

    def _methods(self) -> Mapping[str, object]:
        explainer = Explainer(self.cluster, SocketPeers())
        return {
            "status": lambda: describe(self),
            "metrics": lambda: exposition(self),
            "reload": self.reloading.reload_now,
            "retry": self.retry,
            "runs": lambda: count_runs(self.engine.datapath),
            "costs": lambda: lane_costs(self.engine.datapath),
            "explain": explainer.explain,
            "follow": explainer.follow,
            **listings(self.cluster),
            **address_listings(self.ipam),
        }

    def retry(self, plugin: str) -> str:
        """Give a rejected or quarantined plugin another chance."""
        state = self.engine.retry(plugin)
        return f"{plugin} is {state.status}" + (f": {state.reason}" if state.reason else "")

    def _reconcilers(self) -> Reconcilers:
        reconcilers = Reconcilers()
        for name, repair in (
            ("settings of the kernel", self._keep_settings),
            ("the datapath", self.engine.repair),
            ("the maps of the cluster", self.cluster.repair),
            ("the links of pods", self.pods.repair),
            ("what the source says", self.following.look_again),
            ("pods that have gone", self._forget_vanished),
            ("addresses of pods that have gone", self.ipam.heal),
            ("identities", IdentityKeeper(self.cluster).keep),
        ):
            reconcilers.add(Repair(name, repair))
        return reconcilers

    def _keep_settings(self) -> list[str]:
        own = (record.addresses for record in self.cluster.own_endpoints())
        versions = {address.version for addresses in own for address in addresses}
        versions |= {network.version for network in self.cluster.record.networks}
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
            self.look_at_pools()
            for problem in await do_kept(self._run_dir, self.pods):
                self.notes.note(problem)
            self.following.note_problems()


def open_pods(cluster: Cluster) -> tuple[PodNetwork, PodIpam, list[str]]:
    """The CNI of a node, with the addresses that its pods have had, and what is wrong with them."""
    agent = cluster.engine.configuration.agent
    run_dir = agent.run_dir
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    attachments, netlink = Attachments(run_dir / "attachments"), Netlink()
    for gone in forget_vanished(cluster, attachments, netlink):
        _log.warning("%s", gone)
    ipam = PodIpam.open(cluster, attachments)
    problems = [*map(str, attachments.problems), *ipam.restore()]
    pods = PodNetwork(
        netlink=netlink,
        attachments=attachments,
        addresses=ipam,
        identities=cluster,
        endpoints=cluster,
        datapath=cluster,
        budget=cluster.engine.network.budget(),
        node_addresses=cluster.record.addresses,
    )
    return pods, ipam, problems
