# SPDX-License-Identifier: Apache-2.0
"""Addresses of this node's pods: a plugin says which there are, core's ledger who has which.

The plugin's answers are asked for again whenever what they depend on may have changed. What the
node needs and gives back is told by its resource, which others read: a network leaves the ledger
before it leaves the resource, so that it is never given by two nodes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from axoneme.config.durations import parse_duration
from axoneme.errors import AddressRefused, AxonemeError, PoolExhausted
from axoneme.ipam import AllocationStore, Ledger
from axoneme.model import IpamNode, PoolChoice, PoolDemand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.agent.cluster import Cluster
    from axoneme.cni import Attachments
    from axoneme.host import PluginHost
    from axoneme.ipam import Allocation
    from axoneme.model import (
        Address,
        AddressPool,
        AddressRequest,
        AddressUsage,
        Network,
        NodeRecord,
    )

_log = logging.getLogger(__name__)
#: Seconds in which what has changed is told by one write of the node's resource.
_TELL_SECONDS: Final = 0.1
#: Seconds that a pod waits for its node to get more addresses.
_PATIENCE: Final = 5.0


@define
class PodIpam:
    """Gives addresses to the pods of one node: all calls are made by the thread of the agent."""

    cluster: Cluster
    ledger: Ledger
    attachments: Attachments
    #: Seconds after which an address whose pod has gone without a word is free.
    expiration: float = field(default=0.0, init=False)
    #: The pools as they were asked for last.
    pools: tuple[AddressPool, ...] = field(default=(), init=False)
    #: Why what was answered is not put in effect.
    _stranding: str = field(default="", init=False)
    #: What the plugin was told when pools were put in effect last.
    _settings: str = field(default="", init=False)
    #: What pods wait for whose pools are empty, by owner.
    _waiting: dict[str, PoolChoice] = field(factory=dict, init=False)
    #: Pods of other nodes that have addresses of networks of this one.
    _foreign: dict[str, tuple[Address, ...]] = field(factory=dict, init=False)
    #: What is wrong with these.
    _twice: tuple[str, ...] = field(default=(), init=False)
    _missing: dict[Address, float] = field(factory=dict, init=False)
    _more: asyncio.Event = field(factory=asyncio.Event, init=False)
    _told_later: asyncio.TimerHandle | None = field(default=None, init=False)

    @classmethod
    def open(cls, cluster: Cluster, attachments: Attachments) -> PodIpam:
        """Open the books of this node; nothing is given before `sync`."""
        agent = cluster.engine.configuration.agent
        store = AllocationStore(cluster.source.allocations(cluster.name))
        quarantine = parse_duration(agent.address_quarantine)
        ipam = cls(cluster, Ledger(store, quarantine=quarantine), attachments)
        ipam.configure()
        return ipam

    def configure(self) -> None:
        """Take on the settings of the configuration in effect."""
        agent = self.cluster.engine.configuration.agent
        self.ledger.quarantine = parse_duration(agent.address_quarantine)
        self.expiration = parse_duration(agent.address_expiration)

    def reconfigure(self) -> None:
        """Take on another configuration, and ask for the pools again."""
        self.configure()
        self._ask_again()

    def restore(self) -> list[str]:
        """Hold the addresses that pods have and the books do not speak of; what is wrong."""
        known = {one.address for one in self.ledger.allocations() if not one.released}
        holders = {one.owner: one.addresses for one in self.attachments.all()}
        for record in self.cluster.own_endpoints():
            if not self.attachments.of_pod(record.namespace, record.name):
                holders[str(record)] = record.addresses
        problems = []
        for owner, addresses in holders.items():
            if not known.issuperset(addresses):
                problems += self.ledger.hold(owner, addresses)
        return problems

    def objection(self) -> str:
        """Why the configuration that plugins have now must not be put in effect, or nothing."""
        pools = self._asked()
        failed = pools is None and self._host.answering("axoneme_address_pools")
        return "" if failed else self._would_strand(pools or ())

    def _would_strand(self, pools: tuple[AddressPool, ...]) -> str:
        """Say whose addresses would be of none of these pools, or nothing."""
        stranded = self.ledger.stranded(pools)
        if not stranded:
            return ""
        pods = ", ".join(f"{pod} ({', '.join(map(str, a))})" for pod, a in stranded.items())
        return (
            f"addresses would be of no pool any more, those of {pods}: put the settings of IPAM "
            "back, or remove these pods first"
        )

    @property
    def refusal(self) -> str:
        """Why no pod gets an address, whatever there is; or nothing."""
        return self._unanswered() or self._stranding

    @property
    def problems(self) -> list[str]:
        """What is wrong with the node's addresses; a node may be without any plugin for them."""
        if not self._host.answering("axoneme_address_pools"):
            return []
        error = self.cluster.record.ipam.error
        found = [self.refusal] if self.refusal else []
        found += [f"the node's resource says: {error}"] if error else []
        return [*found, *self._twice, *self.ledger.problems]

    def problem(self) -> str:
        """Return why no pod could have an address now, or nothing."""
        return self.refusal or self.ledger.shortage()

    def _ask_again(self) -> None:
        try:
            self.sync()
        except (AxonemeError, OSError) as error:
            _log.warning("the node's pools are asked for again in the next round: %s", error)

    def sync(self) -> None:
        """Ask for the node's pools, and tell of what the node has given."""
        pools = self._asked()
        if pools is None:
            return
        self._stranding = self._not_as_before(pools)
        if self._stranding:
            self._put(())
        else:
            self._hold_foreign()
            networks = (network for pool in pools for network in pool.networks)
            withheld = self.cluster.contested.withheld(networks)
            self._put(tuple(_without(pool, withheld) for pool in pools) if withheld else pools)
            self.tell()

    def _hold_foreign(self) -> None:
        """Give nothing that pods of other nodes have, where these claim networks of ours."""
        endpoints = self.cluster.endpoints.values()
        foreign = self.cluster.contested.held(self.cluster.name, endpoints)
        if foreign == self._foreign:
            return
        for pod in self._foreign:
            self.ledger.let_go(pod)
        self._foreign = foreign
        found = (self.ledger.hold(pod, addresses) for pod, addresses in foreign.items())
        self._twice = tuple(text for texts in found for text in texts)

    def _not_as_before(self, pools: tuple[AddressPool, ...]) -> str:
        """Say whose addresses an agent with other settings gave that these pools do not have.

        The node's networks may change while pods have addresses of them, which is named and no
        more; settings that were changed while no agent ran are refused, as at a reload.
        """
        plugin = self._plugin()
        sections = self.cluster.engine.configuration.sections
        section = repr(sections.get(plugin or "")).encode()  # it may have secrets
        settings = f"{plugin} {sha256(section).hexdigest()}"
        if settings == self._settings:
            return ""
        path = self.cluster.source.ipam_settings(self.cluster.name)
        before = path.read_text() if path.exists() else settings
        refusal = self._would_strand(pools) if before != settings else ""
        if not refusal:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_text(settings)
            self._settings = settings
        return refusal

    def _asked(self) -> tuple[AddressPool, ...] | None:
        """The pools as they are said to be now; None if there is no plugin to say, or it failed."""
        plugin = self._plugin()
        pools = self._host.hooks.axoneme_address_pools(node=self._node()) if plugin else {}
        return pools.get(plugin or "")

    def _put(self, pools: tuple[AddressPool, ...]) -> None:
        if pools != self.pools:
            self.pools = pools
            self.ledger.set_pools(pools)
            self._more.set()
            self._more = asyncio.Event()

    @property
    def _host(self) -> PluginHost:
        return self.cluster.engine.host

    def _plugin(self) -> str | None:
        """The plugin that gives addresses, if there is one and no other."""
        answering = self._host.answering("axoneme_address_pools")
        return answering[0] if len(answering) == 1 else None

    def _unanswered(self) -> str:
        """Why there is nobody to ask, or nothing."""
        answering = self._host.answering("axoneme_address_pools")
        if not answering:
            return "no plugin gives addresses: add ipam to agent.plugins"
        if len(answering) == 1:
            return ""
        named = " and ".join(answering)
        return f"the plugins {named} all give addresses: take all but one out of agent.plugins"

    def _node(self, record: NodeRecord | None = None) -> IpamNode:
        manifests = self.cluster.manifests
        record = record or self.cluster.record
        return IpamNode(record, manifests.node_cidrs.get(record.name, ()), manifests.pools)

    # What a pod gets

    async def allocate(
        self,
        owner: str,
        pod: tuple[str, str],
        labels: Mapping[str, str],
        addresses: tuple[Address, ...],
    ) -> tuple[Address, ...]:
        """Return an owner's addresses, the same ones when asked again, IPv4 first.

        Where the node is about to get more, this waits a moment for them.

        Raises:
            AxonemeError: there are none, or not those that the pod asks for.
        """
        request, choice = self.choose(pod, labels, addresses)
        end = time.monotonic() + _PATIENCE
        try:
            while True:
                try:
                    return self.ledger.allocate(owner, request, choice, self._is_alive)
                except PoolExhausted:
                    if self._free_leaks():
                        continue
                    left = end - time.monotonic()
                    if not self._grows(choice) or left <= 0:
                        raise
                    await self._wait_for_more(owner, choice, left)
        finally:
            self._waiting.pop(owner, None)
            self._tell_soon()

    async def _wait_for_more(self, owner: str, choice: PoolChoice, seconds: float) -> None:
        """Let the operator know that a pod waits, until there are other pools or no time left."""
        more = self._more
        self._waiting[owner] = choice
        self.tell()
        with suppress(TimeoutError):
            await asyncio.wait_for(more.wait(), seconds)

    def _usage(self) -> AddressUsage:
        """What is given, and how many pods wait for an address of which pool."""
        counts: dict[str, Counter[int]] = {}
        for choice in self._waiting.values():
            for version in (4, 6):
                counts.setdefault(choice.of(version), Counter())[version] += 1
        waiting = (PoolDemand(pool, count[4], count[6]) for pool, count in sorted(counts.items()))
        return evolve(self.ledger.usage(), waiting=tuple(waiting))

    def choose(
        self, pod: tuple[str, str], labels: Mapping[str, str], addresses: tuple[Address, ...] = ()
    ) -> tuple[AddressRequest, PoolChoice]:
        """Return what a pod asks for, and the pools that it gets it from.

        Raises:
            AxonemeError: it gets none.
        """
        plugin = self._plugin()
        if plugin is None or self.refusal:
            raise AddressRefused(self.refusal)
        request = self.cluster.address_request(*pod, labels, addresses)
        choices = self._host.hooks.axoneme_choose_pools(pod=request, node=self._node())
        choice = choices.get(plugin) or PoolChoice()
        if plugin not in self._host.enabled():
            raise AddressRefused(f"the plugin {plugin} has failed: `axoneme plugins` says why")
        if choice.refusal:
            raise AddressRefused(choice.refusal)
        return request, choice

    def _grows(self, choice: PoolChoice) -> bool:
        return any(pool.grows and pool.name in (choice.ipv4, choice.ipv6) for pool in self.pools)

    def _is_alive(self, owner: str) -> bool:
        container, _, ifname = owner.rpartition("/")
        return self.attachments.get(container, ifname) is not None

    def release(self, owner: str) -> None:
        """Take back an owner's addresses, which rest for a while; nothing happens without any."""
        self.ledger.release(owner)
        if self._stranding:  # this may have been the last of them
            self._ask_again()
        self._tell_soon()

    # What the node tells

    def _tell_soon(self) -> None:
        if self._told_later is None:
            loop = asyncio.get_running_loop()
            self._told_later = loop.call_later(_TELL_SECONDS, self._tell_now)

    def _tell_now(self) -> None:
        try:
            self.tell()
        except (AxonemeError, OSError) as error:
            _log.warning("the node's resource does not tell of its addresses: %s", error)

    def tell(self) -> None:
        """Let the node's resource say what the node needs, has in use, and gives back."""
        if self._told_later is not None:
            self._told_later.cancel()
            self._told_later = None
        plugin = self._plugin()
        if plugin is not None and not self.refusal:
            self.cluster.update_record(lambda record: self._told(plugin, record))

    def _told(self, plugin: str, record: NodeRecord) -> NodeRecord:
        usage = self._usage()
        ipam = self._host.hooks.axoneme_node_ipam(node=self._node(record), usage=usage).get(plugin)
        if ipam is None or ipam == record.ipam:
            return record
        told = evolve(record, ipam=ipam)
        gone = set(record.networks) - set(told.networks)
        if gone:
            self._put(tuple(_without(pool, gone) for pool in self.pools))
            _log.info("gives back %s, of which no pod has an address", ", ".join(map(str, gone)))
        return told

    # What went wrong

    def _free_leaks(self) -> bool:
        """Whether an address is free that was not, before the next round would have found it."""
        found = self.heal()
        for leak in found:
            _log.warning("%s", leak)
        return bool(found)

    def heal(self) -> list[str]:
        """Free addresses whose pods have been gone for long; a sentence each."""
        now = time.monotonic()
        unattended = {one.address: one for one in self.ledger.unattended(self._is_alive)}
        self._missing = {a: self._missing.get(a, now) for a in unattended}
        due = [
            unattended[a] for a, since in self._missing.items() if now - since >= self.expiration
        ]
        for owner in {one.owner for one in due}:
            self.release(owner)
        return [_leak(one) for one in due]


def _without(pool: AddressPool, networks: set[Network]) -> AddressPool:
    return evolve(pool, networks=[n for n in pool.networks if n not in networks])


def _leak(one: Allocation) -> str:
    return (
        f"address {one.address} was held for pod {one.pod}, which is gone and whose DEL never "
        "came: it is given back"
    )
