# SPDX-License-Identifier: Apache-2.0
"""The resources of cilium.io/v2 that state files have the form of: only the fields that we use.

Reading is lenient about fields that are not here: servers and newer versions write more.
"""

from __future__ import annotations

import msgspec

API_VERSION = "cilium.io/v2"


class Metadata(msgspec.Struct, omit_defaults=True):
    """Of every resource. What a resource has no field for is in annotations."""

    name: str
    namespace: str = ""
    creationTimestamp: str = ""  # noqa: N815 - the resource's own spelling
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class EndpointIdentity(msgspec.Struct):
    """Number and labels: each label is "k8s:app=web"."""

    id: int = 0
    labels: list[str] = msgspec.field(default_factory=list)


class AddressPair(msgspec.Struct, omit_defaults=True):
    """One address of each family."""

    ipv4: str = ""
    ipv6: str = ""


class EndpointNetworking(msgspec.Struct, omit_defaults=True):
    """Addresses, and an address of the node."""

    addressing: list[AddressPair]
    node: str = ""


class NamedPortEntry(msgspec.Struct):
    """A port of a container that has a name."""

    name: str
    port: int
    protocol: str = "TCP"


class EndpointStatus(msgspec.Struct, rename={"named_ports": "named-ports"}, omit_defaults=True):
    """What an endpoint is."""

    id: int
    networking: EndpointNetworking
    identity: EndpointIdentity = msgspec.field(default_factory=EndpointIdentity)
    named_ports: list[NamedPortEntry] = msgspec.field(default_factory=list)


class CiliumEndpoint(msgspec.Struct):
    """A pod's attachment to its node."""

    metadata: Metadata
    status: EndpointStatus
    apiVersion: str = API_VERSION  # noqa: N815 - the resource's own spelling
    kind: str = "CiliumEndpoint"


class CiliumIdentity(msgspec.Struct, rename={"security_labels": "security-labels"}):
    """A number, which is its name, and the labels that it stands for."""

    metadata: Metadata
    security_labels: dict[str, str]
    apiVersion: str = API_VERSION  # noqa: N815 - the resource's own spelling
    kind: str = "CiliumIdentity"


class NodeAddress(msgspec.Struct):
    """One address of a node; we use those of the type InternalIP."""

    type: str
    ip: str


class NodeIpam(msgspec.Struct, omit_defaults=True):
    """The networks of a node's pods."""

    podCIDRs: list[str] = msgspec.field(default_factory=list)  # noqa: N815 - as above


class NodeSpec(msgspec.Struct, omit_defaults=True):
    """What a node is."""

    addresses: list[NodeAddress] = msgspec.field(default_factory=list)
    ipam: NodeIpam = msgspec.field(default_factory=NodeIpam)


class CiliumNode(msgspec.Struct):
    """A node of the cluster."""

    metadata: Metadata
    spec: NodeSpec
    apiVersion: str = API_VERSION  # noqa: N815 - the resource's own spelling
    kind: str = "CiliumNode"


def encode(resource: CiliumEndpoint | CiliumIdentity | CiliumNode) -> bytes:
    """Return a resource as its file has it."""
    return msgspec.json.format(msgspec.json.encode(resource), indent=2) + b"\n"
