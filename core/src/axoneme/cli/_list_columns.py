# SPDX-License-Identifier: Apache-2.0
"""The columns of what the agent knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.model.identity import identity_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.cli.rows import Columns, Row


def _enforced(direction: str) -> Callable[[Row], str]:
    """Whether what no rule allows is dropped: the word that people look for."""
    return lambda row: "enforced" if row["policies"][direction]["default-deny"] else "open"


def _selected(direction: str) -> Callable[[Row], str]:
    return lambda row: "\n".join(row["policies"][direction]["selected-by"])


def _labels(row: Row) -> str:
    return "\n".join(f"{key}={value}" if value else key for key, value in row["labels"].items())


def _whose(row: Row) -> str:
    return identity_name(row["identity"], row["labels"])


ENDPOINTS: Columns = {
    "ID": "id",
    "NAME": "name",
    "STATE": "state",
    "INGRESS": _enforced("ingress"),
    "EGRESS": _enforced("egress"),
    "IDENTITY": "identity",
    "ADDRESSES": "addresses",
    "LABELS": _whose,
}

ENDPOINT: Columns = {
    "ID": "id",
    "NAME": "name",
    "STATE": "state",
    "IDENTITY": "identity",
    "LABELS": _labels,
    "ADDRESSES": "addresses",
    "NAMED PORTS": lambda row: ",".join(
        f"{p['name']}={p['port']}/{p['protocol']}" for p in row["named-ports"]
    ),
    "DEVICE": "device",
    "MAC": "mac",
    "RULE SET": "rule-set",
    "INGRESS": _enforced("ingress"),
    "INGRESS POLICIES": _selected("ingress"),
    "EGRESS": _enforced("egress"),
    "EGRESS POLICIES": _selected("egress"),
    "LIMITS": lambda row: "\n".join(row["limits"]),
}

IDENTITIES: Columns = {
    "IDENTITY": "identity",
    "TYPE": "type",
    "ENDPOINTS": "endpoints",
    "HERE": "endpoints-here",
    "LABELS": _whose,
}

IDENTITY: Columns = {
    "IDENTITY": "identity",
    "TYPE": "type",
    "LABELS": _labels,
    "ENDPOINTS": "endpoints",
    "HERE": "endpoints-here",
}

POLICIES: Columns = {
    "POLICY": "policy",
    "KIND": "kind",
    "RULE": "rule",
    "VERDICT": "verdict",
    "PEERS": lambda row: " | ".join(row["peers"]),
    "PORTS": "ports",
    "ENTRIES": "entries",
    "ENDPOINTS": "endpoints",
}

NODES: Columns = {
    "NAME": "name",
    "ID": "id",
    "WAY": "way",
    "ADDRESSES": "addresses",
    "POD CIDRS": "pod-cidrs",
    "PODS": "pods",
}
