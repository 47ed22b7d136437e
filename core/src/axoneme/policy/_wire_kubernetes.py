# SPDX-License-Identifier: Apache-2.0
"""Wire types of NetworkPolicy, networking.k8s.io/v1."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from axoneme.wire import LabelSelector, Metadata, Wire


class IPBlock(Wire):
    """A network and its exceptions."""

    cidr: str
    except_: tuple[str, ...] | None = msgspec.field(default=None, name="except")


class PolicyPeer(Wire):
    """Pods by their labels, those of their namespaces or both, or a network."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class PolicyPort(Wire):
    """A port, a range or a name; without, every port of the protocol."""

    port: int | str | None = None
    end_port: int | None = None
    protocol: Literal["TCP", "UDP", "SCTP"] | None = None


class IngressRule(Wire):
    """Who may send to the pods, and to which ports."""

    from_: tuple[PolicyPeer, ...] | None = msgspec.field(default=None, name="from")
    ports: tuple[PolicyPort, ...] | None = None


class EgressRule(Wire):
    """To whom the pods may send, and to which ports."""

    to: tuple[PolicyPeer, ...] | None = None
    ports: tuple[PolicyPort, ...] | None = None


class PolicySpec(Wire):
    """What a NetworkPolicy says."""

    pod_selector: LabelSelector | None = None
    ingress: tuple[IngressRule, ...] | None = None
    egress: tuple[EgressRule, ...] | None = None
    policy_types: tuple[Literal["Ingress", "Egress"], ...] | None = None


class NetworkPolicy(Wire):
    """The whole document."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: PolicySpec
    status: Any = None
