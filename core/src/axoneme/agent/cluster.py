# SPDX-License-Identifier: Apache-2.0
"""What this node knows of the cluster, and its way into the datapath.

Three things are read from the source and put in effect: nodes, endpoints, and manifests. What is
put in effect never lags behind who could be met by it: the rule sets know an identity before its
address is in ipcache, and an endpoint's rule set is there before its programs are.
"""

from __future__ import annotations

from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from axoneme.datapath import Remote
from axoneme.model import AddressRequest
from axoneme.model.identity import Identity, Reserved
from axoneme.model.labels import Labels, own_labels, pod_labels
from axoneme.observe import Owner
from axoneme.sources import EndpointRecord
from axoneme.sources.manifests import ManifestReader

from .addresses import AddressBook
from .contested import Contested
from .endpoints import sync_endpoints
from .membership import join_cluster, put_record
from .policies import NodePolicies
from .probes import EnginePods

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from axoneme.agent.engine import Engine
    from axoneme.agent.membership import Membership
    from axoneme.datapath import Drift
    from axoneme.model import Address, Endpoint
    from axoneme.model.node import NodeRecord
    from axoneme.model.policy import NamedPort, Policy
    from axoneme.sources import EmbeddedSource
    from axoneme.sources.manifests import Manifests

_NO_LABELS = Labels({})
_U16 = 0xFFFF


@define
class Cluster:
    """The cluster as one node sees it: all calls are made by one thread, in its namespaces.

    For the CNI it is `Identities`, `EndpointStore` and `PodDatapath` at once.
    """

    engine: Engine
    source: EmbeddedSource
    cluster_name: str
    member: Membership
    #: This node, as its resource has it now.
    record: NodeRecord
    policies: NodePolicies
    addresses: AddressBook
    reader: ManifestReader
    manifests: Manifests = field(init=False)
    #: What other nodes claim of this one's networks.
    contested: Contested = field(factory=Contested, init=False)
    #: All endpoints of the cluster that have been put in effect, by namespace and name.
    _endpoints: dict[tuple[str, str], EndpointRecord] = field(factory=dict, init=False)
    #: Of pods whose ADD is under way, which no file speaks of yet.
    _coming: dict[tuple[str, str], tuple[Labels, tuple[NamedPort, ...]]] = field(
        factory=dict, init=False
    )
    #: What the ways to other nodes were made of.
    _reached: tuple[object, ...] = field(default=(), init=False)
    _keys: set[tuple[str, str, str]] = field(factory=set, init=False)
    _last_id: int = field(default=0, init=False)
    _problems: dict[str, tuple[str, ...]] = field(factory=dict, init=False)

    @classmethod
    def open(cls, engine: Engine, source: EmbeddedSource) -> Cluster:
        """Join the cluster, and read what there is; nothing of it is in effect yet."""
        agent = engine.configuration.agent
        member = join_cluster(agent, source)
        policies = NodePolicies.open(engine.datapath)
        cluster = cls(
            engine,
            source,
            agent.cluster_name,
            member,
            member.record,
            policies,
            AddressBook(engine, policies.ipcache, member.record),
            ManifestReader(agent.manifests_dir, source.last_good(member.record.name)),
        )
        cluster._read_manifests()
        # Also before nodes are put in effect: who has which address must never be half known.
        cluster._read_endpoints()
        return cluster

    @property
    def name(self) -> str:
        """The node's name."""
        return self.record.name

    @property
    def endpoints(self) -> Mapping[tuple[str, str], EndpointRecord]:
        """All endpoints of the cluster, by namespace and name."""
        return MappingProxyType(self._endpoints)

    @property
    def nodes(self) -> tuple[NodeRecord, ...]:
        """All nodes, this one first."""
        return self.record, *self.engine.network.others

    @property
    def problems(self) -> list[str]:
        """What cannot be used, of what was read, or cannot be put in effect."""
        found = [text for texts in self._problems.values() for text in texts]
        rules = self.policies.resolver.rule_sets
        limits = [limit for rule_set in rules.values() for limit in rule_set.limits]
        return [
            *self.member.problems,
            *found,
            *self.engine.network.problems,
            *self.policies.problems.values(),
            *dict.fromkeys(limits),
        ]

    # Nodes

    def sync_nodes(self) -> None:
        """Make the ways to other nodes those of the source."""
        read = self.source.nodes.read()
        self._problems["nodes"] = tuple(map(str, read.problems))
        self.record = read.get(self.name) or put_record(self.source, self.record)
        self.contested = Contested.of(self.record, read)
        others = tuple(record for record in read.records if record.name != self.name)
        reached = tuple((n.name, n.addresses, n.networks, n.id) for n in (self.record, *others))
        if reached != self._reached:
            self._reached = reached
            self.engine.network.update(self.record, others)
            numbers = {address: node.id for node in others for address in node.addresses}
            self.policies.ipcache.replace_nodes(numbers)
            self._put_addresses()

    def update_record(self, change: Callable[[NodeRecord], NodeRecord]) -> None:
        """Change what this node's resource says of its pods' addresses, and put that in effect."""
        before = self.record
        self.record = self.source.nodes.update(self.name, change) or before
        if self.record.networks != before.networks:
            self.sync_nodes()

    def address_request(
        self,
        namespace: str,
        name: str,
        labels: Mapping[str, str],
        addresses: tuple[Address, ...] = (),
    ) -> AddressRequest:
        """What IPAM is to know of a pod; `labels` are what the runtime said beside."""
        manifests = self.manifests
        pod, space = manifests.pod(namespace, name), manifests.namespaces.get(namespace)
        known = (namespace, name) in manifests.pods
        return AddressRequest(
            namespace,
            name,
            labels=pod.labels if known else labels,
            annotations=pod.annotations,
            namespace_labels=manifests.namespace_labels(namespace),
            namespace_annotations=space.annotations if space is not None else {},
            addresses=addresses,
        )

    # Endpoints

    def sync_endpoints(self) -> list[str]:
        """Make endpoints and who has which address those of the source; what failed."""
        self._read_endpoints()
        return self._put_endpoints()

    def _put_endpoints(self) -> list[str]:
        self._know_identities()
        self.policies.apply()
        synced = sync_endpoints(self.engine, self.own_endpoints(), self._slot)
        self._put_addresses()
        self._forget_identities()
        self._problems["attaching"] = synced.errors
        return list(synced.errors)

    def follow_endpoints(self) -> None:
        """Put in effect what others wrote: as much work as has changed.

        What this node wrote was in effect before it was written, and is not looked at again.
        """
        before = self._endpoints
        self._read_endpoints()
        after = self._endpoints
        old = [record for key, record in before.items() if after.get(key) != record]
        new = [record for key, record in after.items() if before.get(key) != record]
        if any(map(self._is_own, (*old, *new))):
            self._put_endpoints()
        elif old or new:
            self._know_identities()
            self.policies.apply()
            self.addresses.change(old, new, after.values())
            self._forget_identities()

    def _read_endpoints(self) -> None:
        read = self.source.read()
        self._problems["endpoints"] = tuple(map(str, read.problems))
        before = self._endpoints
        self._endpoints = {(r.namespace, r.name): r for r in read.records}
        for key in before.keys() - self._endpoints.keys():
            self.addresses.directory.remove_pod(*key)
        for key, record in self._endpoints.items():
            if before.get(key) is not record:
                self._enter(record)

    def _enter(self, record: EndpointRecord) -> None:
        """Let events name a pod."""
        owner = Owner(
            name=record.name,
            namespace=record.namespace,
            node=record.node or self.name,
            identity=record.identity,
            labels=record.labels,
            endpoint=record.id,
        )
        self.addresses.directory.put_pod(owner, record.addresses)

    def own_endpoints(self) -> list[EndpointRecord]:
        """The endpoints of this node, as the source has them."""
        return [record for record in self._endpoints.values() if self._is_own(record)]

    def _is_own(self, record: EndpointRecord) -> bool:
        return record.node in {"", self.name}

    def _slot(self, identity: int) -> int:
        return self.policies.slot(identity or Reserved.INIT)

    def _know_identities(self) -> None:
        """Tell the resolver who is there, and for whom of them it is to compile."""
        resolver = self.policies.resolver
        for number, (labels, ports) in self._identities().items():
            if number > Reserved.WORLD_IPV6:
                resolver.put_identity(Identity(number, labels), ports)
        for record in self.own_endpoints():
            resolver.put_subject(record.identity or Reserved.INIT)

    def _identities(self) -> dict[int, tuple[Labels, set[NamedPort]]]:
        found: dict[int, tuple[Labels, set[NamedPort]]] = {}
        for record in self._endpoints.values():
            _, ports = found.setdefault(record.identity, (record.labels, set()))
            ports.update(record.named_ports)
        return found

    def _forget_identities(self) -> None:
        """Forget identities that no endpoint has any more, here or anywhere."""
        resolver, used = self.policies.resolver, self._identities()
        coming = {endpoint.identity for endpoint in self.engine.datapath.endpoints.values()}
        here = {record.identity or Reserved.INIT for record in self.own_endpoints()} | coming
        for number in set(resolver.subjects) - here:
            self.policies.release(number)
        for number in set(resolver.identities) - used.keys() - here:
            if number > Reserved.WORLD_IPV6:
                resolver.remove_identity(number)
        self.policies.apply()

    def _put_addresses(self) -> None:
        self.addresses.replace(self._endpoints.values())

    # Manifests

    def sync_manifests(self) -> bool:
        """Put policies and labels in effect; whether an endpoint got another identity by it."""
        before = self.manifests
        self._read_manifests()
        if self.manifests.says_who_is_who_as(before):
            self.policies.apply()  # at once: to look at all endpoints takes longer
        relabelled = self._relabel()
        if not relabelled:
            self.policies.apply()
        self.reader.remember()
        return relabelled

    def _read_manifests(self) -> None:
        self.manifests = self.reader.read()
        self._problems["manifests"] = tuple(map(str, self.manifests.problems))
        by_key: dict[tuple[str, str, str], list[Policy]] = {}
        for policy in self.manifests.policies:
            by_key.setdefault((policy.kind, policy.namespace, policy.name), []).append(policy)
        for key, policies in by_key.items():
            self.policies.resolver.put_policies(key, policies)
        for key in self._keys - by_key.keys():
            self.policies.resolver.remove_policies(key)
        self._keys = set(by_key)

    def _relabel(self) -> bool:
        """Give this node's endpoints the identities of the labels that manifests say now."""
        changed = False
        for record in self.own_endpoints():
            if record.identity <= Reserved.WORLD_IPV6 or not record.labels:
                continue
            own = own_labels(record.labels)
            labels, ports = self._described(record.namespace, record.name, own)
            if (labels, ports) != (record.labels, record.named_ports):
                number = self.source.identities.of(labels)
                relabelled = evolve(record, identity=number, labels=labels, named_ports=ports)
                self.source.write(relabelled)
                changed = True
        return changed

    def _described(
        self, namespace: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Labels, tuple[NamedPort, ...]]:
        """A pod's labels and named ports: those of its manifest, else those it came with."""
        pod = self.manifests.pod(namespace, name)
        known = (namespace, name) in self.manifests.pods
        made = pod_labels(
            namespace,
            pod.labels if known else labels,
            self.manifests.namespace_labels(namespace),
            pod.service_account,
            self.cluster_name,
        )
        return made, pod.named_ports

    # What the CNI asks for: see cni_parts

    def of(self, namespace: str, name: str, labels: Mapping[str, str]) -> int:
        """Return the identity of a pod that comes."""
        described = self._described(namespace, name, labels)
        self._coming[namespace, name] = described
        return self.source.identities.of(described[0])

    def new_id(self) -> int:
        """Return a number that no endpoint of this node has."""
        used = {record.id for record in self.own_endpoints()} | set(self.engine.datapath.endpoints)
        following = range(self._last_id + 1, _U16 + 1)
        self._last_id = next(n for n in chain(following, range(1, _U16 + 1)) if n not in used)
        return self._last_id

    def write(self, endpoint: Endpoint) -> None:
        """Tell the cluster of an endpoint."""
        key = endpoint.namespace, endpoint.name
        labels, ports = self._coming.pop(key, (_NO_LABELS, ()))
        record = EndpointRecord(
            id=endpoint.id,
            name=endpoint.name,
            namespace=endpoint.namespace,
            ifname=endpoint.ifname,
            mac=endpoint.mac,
            addresses=endpoint.addresses,
            identity=endpoint.identity,
            labels=labels,
            node=self.name,
            named_ports=ports,
        )
        self.source.write(record)
        self._endpoints[key] = record
        self._enter(record)

    def delete(self, namespace: str, name: str) -> None:
        """Tell the cluster that an endpoint is gone."""
        self.source.delete(namespace, name)
        self.addresses.directory.remove_pod(namespace, name)
        self._coming.pop((namespace, name), None)
        if self._endpoints.pop((namespace, name), None) is not None:
            self._forget_identities()

    def attach(self, endpoint: Endpoint) -> None:
        """Put an endpoint in effect, with its policy."""
        labels, ports = self._coming.get((endpoint.namespace, endpoint.name), (_NO_LABELS, ()))
        resolver = self.policies.resolver
        others = self._identities().get(endpoint.identity, (labels, set()))[1]
        resolver.put_identity(Identity(endpoint.identity, labels), {*others, *ports})
        resolver.put_subject(endpoint.identity)
        self.policies.apply()
        self.engine.add_endpoint(evolve(endpoint, rule_set=self._slot(endpoint.identity)))
        remote = Remote(endpoint.identity)
        self.policies.ipcache.put(dict.fromkeys(endpoint.addresses, remote))

    def detach(self, endpoint_id: int) -> None:
        """Take an endpoint out of effect; nothing happens if it is not there."""
        endpoint = self.engine.datapath.endpoints.get(endpoint_id)
        if endpoint is not None:
            self.policies.ipcache.remove(endpoint.addresses)
            self.engine.remove_endpoint(endpoint_id)

    def faults(self, endpoint: Endpoint) -> list[str]:
        """Probe an endpoint's programs."""
        return EnginePods(self.engine).faults(endpoint)

    def problem(self) -> str:
        """Return why no endpoint could be put in effect, or nothing."""
        return EnginePods(self.engine).problem()

    def repair(self) -> list[Drift]:
        """Make the maps hold what they should; what they did not."""
        self._put_addresses()
        return self.policies.repair()
