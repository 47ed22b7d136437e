# SPDX-License-Identifier: Apache-2.0
"""One file of manifests: its documents into records, or all that is wrong with it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec
from attrs import define, field, frozen

from axoneme.errors import PolicyError, Problem, nearest
from axoneme.model.policy import HIGHEST_PORT, PROTOCOLS, NamedPort
from axoneme.policy import POLICY_KINDS, parse_policy
from axoneme.sources._networks import Networks
from axoneme.sources._reader import FileFaults
from axoneme.sources.manifests import _pools, _wire
from axoneme.sources.manifests._places import placed
from axoneme.sources.manifests._yaml import YamlError, read_documents
from axoneme.sources.manifests.records import NAME_LABEL, NamespaceRecord, PodRecord
from axoneme.wire import Faults, network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from axoneme.model import PodIPPool
    from axoneme.model.node import Network
    from axoneme.model.policy import Policy
    from axoneme.sources.manifests._yaml import Document


_CORE: Final = "v1"
#: Who writes one of these means to restrict something: to pass it over would leave that open.
_NOT_YET: Final = frozenset(
    {
        "AdminNetworkPolicy",
        "BaselineAdminNetworkPolicy",
        "CiliumCIDRGroup",
        "CiliumClusterwideNetworkPolicy",
        "ClusterNetworkPolicy",
    }
)


@frozen
class NodeCidrs:
    """The networks that Kubernetes gave a node for its pods."""

    node: str
    networks: tuple[Network, ...]


@frozen
class ManifestItem:
    """A resource: what it is called, where it stands, and what it says."""

    kind: str
    namespace: str
    name: str
    line: int
    value: NamespaceRecord | PodRecord | PodIPPool | NodeCidrs | tuple[Policy, ...]


@frozen
class ManifestFile:
    """What one file says."""

    items: tuple[ManifestItem, ...]
    ignored: Counter[str]


def read_manifest_file(path: Path, data: bytes) -> ManifestFile:
    """Return what a file says.

    Raises FileFaults with everything that is wrong.
    """
    if not data.strip():
        # It may be about to be written; and policies must not go because of that.
        text = "is empty: what it said before stays; remove the file to withdraw that"
        raise FileFaults([Problem("", str(path), 0, text)])
    reading = _Reading(path)
    try:
        documents = read_documents(data)
    except YamlError as error:
        raise FileFaults([Problem("", str(path), error.line, str(error))]) from error
    for document in documents:
        for value in _resources(document.value):
            reading.add(document, value)
    if reading.problems:
        raise FileFaults(reading.problems)
    return ManifestFile(tuple(reading.items), reading.ignored)


def _resources(value: Any) -> Iterator[Any]:
    """The resources of a document, which is one or a list of them."""
    kind = value.get("kind") if isinstance(value, dict) else None
    items = value.get("items") if isinstance(kind, str) and kind.endswith("List") else None
    if isinstance(items, list):
        for item in items:
            # The items of a PodList and the like may leave out what they are.
            yield _completed(item, value, kind) if kind != "List" else item
    else:
        yield value


def _completed(item: Any, whole: dict[str, Any], kind: Any) -> Any:
    if not isinstance(item, dict) or "kind" in item:
        return item
    return {"apiVersion": whole.get("apiVersion"), "kind": kind.removesuffix("List"), **item}


@define
class _Reading:
    path: Path
    items: list[ManifestItem] = field(factory=list)
    ignored: Counter[str] = field(factory=Counter)
    problems: list[Problem] = field(factory=list)

    def add(self, document: Document, value: Any) -> None:
        line = document.line_of(value)
        kind = value.get("kind") if isinstance(value, dict) else None
        try:
            if not isinstance(kind, str):
                self._wrong("kind", line, "is no resource: it has no kind")
            elif kind in POLICY_KINDS:
                parsed = parse_policy(value, f"{self.path}:{line}")
                policies = placed(parsed, value, document, self.path)
                for policy in policies[:1]:
                    self._take(kind, policy.namespace, policy.name, line, policies)
            elif kind == "Namespace" and value.get("apiVersion") == _CORE:
                namespace = _namespace(value)
                self._take(kind, "", namespace.name, line, namespace)
            elif kind == _pools.KIND:
                self._add_pool(value, line)
            elif kind == "Node" and value.get("apiVersion") == _CORE:
                self._add_node(value, line)
            elif kind == "Pod" and value.get("apiVersion") == _CORE:
                pod = _pod(value)
                self._take(kind, pod.namespace, pod.name, line, pod)
            else:
                self._pass_over(kind, line)
        except PolicyError as error:
            self.problems += error.problems
        except ValueError as error:
            self._wrong("", line, f"{kind}: {error}")

    def _add_pool(self, value: dict[str, Any], line: int) -> None:
        faults = Faults(f"{self.path}:{line}")
        pool = _pools.read_pool(value, faults)
        self.problems += faults.problems()
        if pool is not None:
            self._take(_pools.KIND, "", pool.name, line, pool)

    def _add_node(self, value: dict[str, Any], line: int) -> None:
        faults = Faults(f"{self.path}:{line}")
        node = _node(value, faults)
        self.problems += faults.problems()
        self._take("Node", "", node.node, line, node)

    def _take(self, kind: str, namespace: str, name: str, line: int, value: Any) -> None:
        self.items.append(ManifestItem(kind, namespace, name, line, value))

    def _pass_over(self, kind: str, line: int) -> None:
        if kind in _NOT_YET:
            self._wrong("kind", line, f"{kind} is not supported yet")
            return
        near = nearest(kind, POLICY_KINDS)
        if near is not None:
            self.problems.append(
                Problem("kind", str(self.path), line, f"{kind} is no kind of policy", near)
            )
            return
        self.ignored[kind] += 1

    def _wrong(self, key: str, line: int, message: str) -> None:
        self.problems.append(Problem(key, str(self.path), line, message))


def _namespace(value: dict[str, Any]) -> NamespaceRecord:
    metadata = msgspec.convert(value, _wire.Namespace).metadata
    labels = {**metadata.labels, NAME_LABEL: metadata.name}
    return NamespaceRecord(metadata.name, labels, metadata.annotations)


def _pod(value: dict[str, Any]) -> PodRecord:
    pod = msgspec.convert(value, _wire.Pod)
    ports = [port for c in pod.spec.containers or () for port in c.ports or () if port.name]
    return PodRecord(
        pod.metadata.name,
        pod.metadata.namespace,
        pod.metadata.labels,
        pod.spec.service_account_name,
        tuple(dict.fromkeys(map(_named_port, ports))),
        pod.spec.host_network,
        pod.metadata.annotations,
    )


def _node(value: dict[str, Any], faults: Faults) -> NodeCidrs:
    node = msgspec.convert(value, _wire.Node)
    spec = node.spec
    texts: dict[str, tuple[str | int, ...]] = {}
    if spec.podCIDR:
        texts[spec.podCIDR] = ("spec", "podCIDR")
    texts |= {text: ("spec", "podCIDRs", index) for index, text in enumerate(spec.podCIDRs)}
    own: Networks[str] = Networks()
    networks = []
    for text, path in texts.items():
        found = network(text, faults, path)
        if found is None:
            continue
        other = own.overlapping(found)
        if other is not None:
            faults.add(path, f"{found} overlaps {other[0]}, which the node has already")
        own.add(found, text)
        networks.append(found)
    return NodeCidrs(node.metadata.name, tuple(networks))


def _named_port(port: _wire.ContainerPort) -> NamedPort:
    proto = PROTOCOLS.get(port.protocol)
    if proto is None:
        raise ValueError(f"port {port.name!r}: {port.protocol!r} is none of {', '.join(PROTOCOLS)}")
    if not 1 <= port.container_port <= HIGHEST_PORT:
        raise ValueError(
            f"port {port.name!r} must be 1 to {HIGHEST_PORT}, not {port.container_port}"
        )
    return NamedPort(port.name, proto, port.container_port)
