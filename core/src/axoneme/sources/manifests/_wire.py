# SPDX-License-Identifier: Apache-2.0
"""Namespaces, pods and nodes, as manifests have them: of their fields those that we need."""

from __future__ import annotations

import msgspec


class Metadata(msgspec.Struct):
    """Of every resource."""

    name: str
    namespace: str = "default"
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class Namespace(msgspec.Struct):
    """v1, Namespace."""

    metadata: Metadata


class ContainerPort(msgspec.Struct, rename="camel"):
    """A port that a container says it has."""

    container_port: int
    name: str = ""
    protocol: str = "TCP"


class Container(msgspec.Struct):
    """A container of a pod."""

    ports: list[ContainerPort] | None = None


class PodSpec(msgspec.Struct, rename="camel"):
    """What a pod is."""

    containers: list[Container] | None = None
    host_network: bool = False
    service_account_name: str = "default"


class Pod(msgspec.Struct):
    """v1, Pod."""

    metadata: Metadata
    spec: PodSpec = msgspec.field(default_factory=PodSpec)


class NodeSpec(msgspec.Struct):
    """What a node is: the first of its networks stands in both fields."""

    podCIDR: str = ""  # noqa: N815 - as Kubernetes spells it
    podCIDRs: list[str] = []  # noqa: N815 - as Kubernetes spells it


class Node(msgspec.Struct):
    """v1, Node."""

    metadata: Metadata
    spec: NodeSpec = msgspec.field(default_factory=NodeSpec)
