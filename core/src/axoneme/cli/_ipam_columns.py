# SPDX-License-Identifier: Apache-2.0
"""The columns of addresses and pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.cli.rows import Columns, Row


def _pairs(key: str) -> Callable[[Row], str]:
    """Labels or annotations, a line each."""
    return lambda row: "\n".join(f"{name}={value}" for name, value in row[key].items())


def _state(row: Row) -> str:
    return f"resting until {row['until']}" if row["until"] else row["state"]


def _selectors(row: Row) -> str:
    """What each of the chosen pools says by itself of the pods that it is for."""
    return "\n".join(
        f"{one['pool']} ({one['place']}): {_chosen_by(one) or 'chooses no pod by itself'}"
        for one in row["selectors"]
    )


def _chosen_by(one: Row) -> str:
    words = (("pods", one["pods"]), ("namespaces", one["namespaces"]))
    return ", ".join(f"{what} {selector}" for what, selector in words if selector is not None)


ADDRESSES: Columns = {
    "ADDRESS": "address",
    "POOL": "pool",
    "POD": "pod",
    "STATE": _state,
    "SINCE": "since",
    "OWNER": "owner",
}

POOLS: Columns = {
    "POOL": "pool",
    "NETWORK": "network",
    "FAMILY": "family",
    "USED": "used",
    "RESTING": "resting",
    "FREE": "free",
    "SIZE": "size",
}

CLUSTER_POOLS: Columns = {
    "POOL": lambda row: row["pool"] or "podCIDRs",
    "FAMILY": "family",
    "GIVEN": "given",
    "FREE": "free",
    "PARTS": "parts",
}

EXPLAINED: Columns = {
    "POD": "pod",
    "MANIFEST": "manifest",
    "LABELS": _pairs("labels"),
    "ANNOTATIONS": _pairs("annotations"),
    "NAMESPACE LABELS": _pairs("namespace-labels"),
    "NAMESPACE ANNOTATIONS": _pairs("namespace-annotations"),
    "POOLS": lambda row: "\n".join(f"{family} {name}" for family, name in row["pools"].items()),
    "WHY": "why",
    "SELECTORS": _selectors,
    "HAS": lambda row: "\n".join(
        f"{one['address']} of pool {one['pool'] or '-'} since {one['since'] or '-'}"
        for one in row["addresses"]
    ),
    "WOULD GET": "would-get",
    "GETS NONE": "refusal",
}
