# SPDX-License-Identifier: Apache-2.0
"""Wire types of CiliumNetworkPolicy, cilium.io/v2, as far as it is supported."""

from __future__ import annotations

from typing import Any

import msgspec

from axoneme.wire import LabelSelector, Metadata, Wire, later


@later("cidrGroupRef", "cidrGroupSelector")
class CIDRRule(Wire):
    """A network and its exceptions."""

    cidr: str
    except_: tuple[str, ...] | None = msgspec.field(default=None, name="except")


class PortProtocol(Wire):
    """A port, a range or a name; 0 is every port of the protocol."""

    port: str
    end_port: int | None = None
    protocol: str | None = None


@later("listener", "originatingTLS", "rules", "serverNames", "terminatingTLS")
class PortRule(Wire):
    """Ports of several protocols."""

    ports: tuple[PortProtocol, ...] | None = None


class PortDenyRule(Wire):
    """Ports of several protocols that are denied."""

    ports: tuple[PortProtocol, ...] | None = None


@later("fromGroups", "fromNodes", "fromRequires", "icmps")
class IngressDenyRule(Wire):
    """Who may not send to the pods, and to which ports."""

    from_endpoints: tuple[LabelSelector, ...] | None = None
    from_entities: tuple[str, ...] | None = None
    from_cidr: tuple[str, ...] | None = msgspec.field(default=None, name="fromCIDR")
    from_cidr_set: tuple[CIDRRule, ...] | None = msgspec.field(default=None, name="fromCIDRSet")
    to_ports: tuple[PortDenyRule, ...] | None = None


@later("authentication", "fromGroups", "fromNodes", "fromRequires", "icmps")
class IngressRule(Wire):
    """Who may send to the pods, and to which ports."""

    from_endpoints: tuple[LabelSelector, ...] | None = None
    from_entities: tuple[str, ...] | None = None
    from_cidr: tuple[str, ...] | None = msgspec.field(default=None, name="fromCIDR")
    from_cidr_set: tuple[CIDRRule, ...] | None = msgspec.field(default=None, name="fromCIDRSet")
    to_ports: tuple[PortRule, ...] | None = None


@later("icmps", "toGroups", "toNodes", "toRequires", "toServices")
class EgressDenyRule(Wire):
    """To whom the pods may not send, and to which ports."""

    to_endpoints: tuple[LabelSelector, ...] | None = None
    to_entities: tuple[str, ...] | None = None
    to_cidr: tuple[str, ...] | None = msgspec.field(default=None, name="toCIDR")
    to_cidr_set: tuple[CIDRRule, ...] | None = msgspec.field(default=None, name="toCIDRSet")
    to_ports: tuple[PortDenyRule, ...] | None = None


@later("authentication", "icmps", "toFQDNs", "toGroups", "toNodes", "toRequires", "toServices")
class EgressRule(Wire):
    """To whom the pods may send, and to which ports."""

    to_endpoints: tuple[LabelSelector, ...] | None = None
    to_entities: tuple[str, ...] | None = None
    to_cidr: tuple[str, ...] | None = msgspec.field(default=None, name="toCIDR")
    to_cidr_set: tuple[CIDRRule, ...] | None = msgspec.field(default=None, name="toCIDRSet")
    to_ports: tuple[PortRule, ...] | None = None


class DefaultDeny(Wire):
    """Whether what no rule allows is denied; by default, in each direction that has rules."""

    ingress: bool | None = None
    egress: bool | None = None


@later("log", "nodeSelector")
class RuleSpec(Wire):
    """What one spec says."""

    endpoint_selector: LabelSelector
    ingress: tuple[IngressRule, ...] | None = None
    ingress_deny: tuple[IngressDenyRule, ...] | None = None
    egress: tuple[EgressRule, ...] | None = None
    egress_deny: tuple[EgressDenyRule, ...] | None = None
    enable_default_deny: DefaultDeny | None = None
    description: Any = None
    labels: Any = None


class CiliumNetworkPolicy(Wire):
    """The whole document."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: RuleSpec | None = None
    specs: tuple[RuleSpec, ...] | None = None
    status: Any = None
