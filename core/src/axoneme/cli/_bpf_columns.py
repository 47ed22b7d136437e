# SPDX-License-Identifier: Apache-2.0
"""The columns of what the kernel holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from axoneme.cli.rows import Columns, Row


def filled_lanes(stages: dict[str, list[str]]) -> str:
    """The stages of a trunk that are filled, each with its plugins in order."""
    return _stages({stage: plugins for stage, plugins in stages.items() if plugins})


def _stages(stages: dict[str, list[str]]) -> str:
    return " ".join(
        f"{stage}[{','.join(plugins)}]" if plugins else stage for stage, plugins in stages.items()
    )


def _identity(number: int, name: str) -> str:
    return f"{number} ({name})" if name else str(number)


def _whose(row: Row) -> str:
    return _identity(row["identity"], row["identity-name"])


def _end(row: Row, side: str) -> str:
    name = row[f"{side}-name"]
    address = f"[{row[side]}]" if ":" in row[side] else row[side]
    return f"{address}:{row[f'{side}-port']}" + (f" ({name})" if name else "")


def _rule(rule: str | None) -> str:
    return "-" if rule is None else rule or "no policy"


ADDRESSES: Columns = {
    "ADDRESS": "address",
    "ID": "id",
    "NAME": "name",
    "IDENTITY": _whose,
    "IFINDEX": "ifindex",
    "MAC": "mac",
    "NODE MAC": "node-mac",
    "RULE SET": "rule-set",
}

PREFIXES: Columns = {
    "PREFIX": "prefix",
    "IDENTITY": _whose,
    "NAME": "name",
    "TUNNEL": "tunnel",
}

ENTRIES: Columns = {
    "SET": "rule-set",
    "SUBJECT": lambda row: _identity(row["subject"], row["subject-name"]),
    "DIRECTION": "direction",
    "PEER": lambda row: _identity(row["peer"], row["peer-name"]) if row["peer"] else "anyone",
    "PORTS": lambda row: f"{row['ports']}/{row['protocol']}",
    "VERDICT": "verdict",
    "RULE": "rule",
}

FLOWS: Columns = {
    "PROTO": "protocol",
    "SOURCE": lambda row: _end(row, "source"),
    "DESTINATION": lambda row: _end(row, "destination"),
    "IDENTITY": "identity",
    "STATE": "state",
    "LEFT": lambda row: f"{row['seconds-left']:.0f}s",
    "AGE": lambda row: f"{row['age-seconds']:.0f}s",
    "EGRESS": lambda row: _rule(row["egress-rule"]),
    "INGRESS": lambda row: _rule(row["ingress-rule"]),
}

LANES: Columns = {
    "PLACE": "place",
    "DEVICE": "device",
    "TRUNK": "trunk",
    "PROGRAM": "program",
    "LANES": lambda row: filled_lanes(row["stages"]),
}

STAGES: Columns = LANES | {"LANES": lambda row: _stages(row["stages"])}
