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


class PoolAddress(msgspec.Struct, omit_defaults=True):
    """Whom an address belongs to."""

    owner: str = ""
    resource: str = ""


class Needed(msgspec.Struct, rename="kebab", omit_defaults=True):
    """How many addresses of each family."""

    ipv4_addrs: int = 0
    ipv6_addrs: int = 0


class Requested(msgspec.Struct):
    """What a node needs of a pool."""

    pool: str
    needed: Needed = msgspec.field(default_factory=Needed)


class Allocated(msgspec.Struct):
    """What a node has of a pool."""

    pool: str
    cidrs: list[str] = msgspec.field(default_factory=list)


class Pools(msgspec.Struct, omit_defaults=True):
    """What a node needs and has of the cluster's pools."""

    requested: list[Requested] = msgspec.field(default_factory=list)
    allocated: list[Allocated] = msgspec.field(default_factory=list)


class SpecIpam(msgspec.Struct, rename={"ipv6_pool": "ipv6-pool"}, omit_defaults=True):
    """The addresses of a node's pods."""

    podCIDRs: list[str] = msgspec.field(default_factory=list)  # noqa: N815 - as above
    pool: dict[str, PoolAddress] = msgspec.field(default_factory=dict)
    ipv6_pool: dict[str, PoolAddress] = msgspec.field(default_factory=dict)
    pools: Pools = msgspec.field(default_factory=Pools)


class NodeSpec(msgspec.Struct, omit_defaults=True):
    """What a node is."""

    addresses: list[NodeAddress] = msgspec.field(default_factory=list)
    ipam: SpecIpam = msgspec.field(default_factory=SpecIpam)


class OperatorStatus(msgspec.Struct, omit_defaults=True):
    """Why the operator cannot give a node what it needs."""

    error: str = ""


class StatusIpam(
    msgspec.Struct,
    rename={"ipv6_used": "ipv6-used", "operator_status": "operator-status"},
    omit_defaults=True,
):
    """The addresses that a node's pods have."""

    used: dict[str, PoolAddress] = msgspec.field(default_factory=dict)
    ipv6_used: dict[str, PoolAddress] = msgspec.field(default_factory=dict)
    operator_status: OperatorStatus = msgspec.field(default_factory=OperatorStatus)


class NodeStatus(msgspec.Struct, omit_defaults=True):
    """What has become of a node."""

    ipam: StatusIpam = msgspec.field(default_factory=StatusIpam)


class CiliumNode(msgspec.Struct):
    """A node of the cluster."""

    metadata: Metadata
    spec: NodeSpec
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)
    apiVersion: str = API_VERSION  # noqa: N815 - the resource's own spelling
    kind: str = "CiliumNode"


def encode(resource: CiliumEndpoint | CiliumIdentity | CiliumNode) -> bytes:
    """Return a resource as its file has it."""
    return msgspec.json.format(msgspec.json.encode(resource), indent=2) + b"\n"
