# SPDX-License-Identifier: Apache-2.0
"""Flows as JSON, an object a line. docs/reference/flows.md says what its fields are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from axoneme.observe.words import flag_names

if TYPE_CHECKING:
    from axoneme.observe.flow import Flow, Judgement, Party
    from axoneme.observe.lost import Lost

_SECOND = 1_000_000_000
_encode = msgspec.json.Encoder().encode


def flow_as_json(flow: Flow, node: str) -> str:
    """The line of a flow that was told of on a node."""
    return _line(flow_fields(flow, node))


def flow_fields(flow: Flow, node: str) -> dict[str, Any]:
    """What a flow has, by the names that are documented."""
    icmp = flow.is_icmp
    reason = flow.reason
    return {
        "time": timestamp(flow.time),
        "node": node,
        "type": _type(flow),
        "kinds": flow.kinds,
        "verdict": flow.verdict,
        "reason": None
        if reason is None
        else {
            "number": reason.number,
            "name": reason.name,
            "text": reason.text,
            "owner": reason.owner,
        },
        "source": _party(flow.source, None if icmp else flow.source_port),
        "destination": _party(flow.destination, None if icmp else flow.destination_port),
        "ip_version": flow.family,
        "protocol": flow.protocol,
        "tcp_flags": flag_names(flow.tcp_flags),
        "icmp": {"type": flow.source_port, "code": flow.destination_port} if icmp else None,
        "length": flow.length,
        "direction": flow.direction,
        "egress": _judgement(flow.egress),
        "ingress": _judgement(flow.ingress),
        "conntrack": flow.conntrack,
        "is_reply": flow.is_reply,
        "trunk": flow.trunk,
        "device": flow.device,
        "cpu": flow.cpu,
    }


def lost_as_json(lost: Lost, node: str) -> str:
    """The line of events that were lost."""
    rest = lost.as_json()
    return _line({"time": timestamp(rest.pop("time")), "node": node, "lost": rest})


def timestamp(nanoseconds: int) -> str:
    """A time as RFC 3339 has it, in UTC."""
    second, rest = divmod(nanoseconds, _SECOND)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def _line(value: dict[str, Any]) -> str:
    return _encode(value).decode() + "\n"


def _type(flow: Flow) -> str:
    kind = flow.kinds[0] if flow.kinds else ""
    return "policy-verdict" if kind.endswith("-verdict") else kind


def _party(party: Party, port: int | None) -> dict[str, Any]:
    return {
        "address": party.address,
        "port": port,
        "identity": party.identity,
        "labels": party.labels,
        "namespace": party.namespace,
        "pod": party.name if party.namespace else "",
        "node": party.node,
    }


def _judgement(judgement: Judgement | None) -> dict[str, Any] | None:
    if judgement is None:
        return None
    verdict = "allowed" if judgement.allowed else "denied"
    return {"verdict": verdict, "policies": judgement.policies, "rule": judgement.rule}
