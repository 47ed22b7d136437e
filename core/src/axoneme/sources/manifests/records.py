# SPDX-License-Identifier: Apache-2.0
"""What manifests say, as frozen values."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import field, frozen

from axoneme.model.labels import is_label_key, is_label_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.errors import Problem
    from axoneme.model import PodIPPool
    from axoneme.model.node import Network
    from axoneme.model.policy import NamedPort, Policy

#: The label that Kubernetes puts on every namespace.
NAME_LABEL = "kubernetes.io/metadata.name"


def _frozen(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


def _labels(_: object, __: object, value: Mapping[str, str]) -> None:
    for key, text in value.items():
        if not is_label_key(key):
            raise ValueError(f"{key[:64]!r} is no key of a label")
        if not is_label_value(text):
            raise ValueError(f"{text[:64]!r} is no value of a label: that of {key}")


@frozen
class NamespaceRecord:
    """A namespace, its labels, with its name among them, and its annotations."""

    name: str
    labels: Mapping[str, str] = field(converter=_frozen, validator=_labels)
    annotations: Mapping[str, str] = field(factory=dict, converter=_frozen)


@frozen
class PodRecord:
    """A pod, as far as the network asks: where it is comes from the container runtime."""

    name: str
    namespace: str
    labels: Mapping[str, str] = field(factory=dict, converter=_frozen, validator=_labels)
    service_account: str = "default"
    named_ports: tuple[NamedPort, ...] = ()
    host_network: bool = False
    annotations: Mapping[str, str] = field(factory=dict, converter=_frozen)


@frozen
class Manifests:
    """What a directory of manifests says.

    `ignored` counts the resources of other kinds, by kind. `pools` are those of the cluster, and
    `node_cidrs` the networks that Kubernetes gave its nodes, both by name.
    """

    namespaces: Mapping[str, NamespaceRecord]
    pods: Mapping[tuple[str, str], PodRecord]
    policies: tuple[Policy, ...]
    ignored: Mapping[str, int]
    problems: tuple[Problem, ...] = ()
    pools: Mapping[str, PodIPPool] = field(factory=dict)
    node_cidrs: Mapping[str, tuple[Network, ...]] = field(factory=dict)

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace; one without a manifest has its name."""
        known = self.namespaces.get(name)
        return known.labels if known is not None else {NAME_LABEL: name}

    def namespace_annotations(self, name: str) -> Mapping[str, str]:
        """The annotations of a namespace; one without a manifest has none."""
        known = self.namespaces.get(name)
        return known.annotations if known is not None else {}

    def pod(self, namespace: str, name: str) -> PodRecord:
        """A pod; one without a manifest has no labels."""
        return self.pods.get((namespace, name)) or PodRecord(name, namespace)

    def says_who_is_who_as(self, other: Manifests) -> bool:
        """Whether pods and namespaces are the same in others."""
        return (self.namespaces, self.pods) == (other.namespaces, other.pods)
