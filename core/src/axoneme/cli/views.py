# SPDX-License-Identifier: Apache-2.0
"""How the agent's answers look on a terminal, line by line."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from axoneme.cli._bpf_columns import filled_lanes
from axoneme.cli.rows import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from axoneme.cli.rows import Columns, Inks, Row

_COLOURS = {"on": "green", "off": None, "rejected": "red", "quarantined": "yellow"}

_PLUGINS: Columns = {
    "NAME": "name",
    "STATUS": "status",
    "VERSION": "version",
    "STAGES": lambda row: " ".join(row["stages"]),
    "REASON": "reason",
}

_TRUNKS: Columns = {
    "TRUNK": "name",
    "VERIFIED": lambda row: f"{row['instructions']} insns",
    "IN": lambda row: f"{row['microseconds'] / 1e3:.1f} ms",
    "STACK": lambda row: f"{sum(map(int, filter(None, row['stack'].split('+'))))} B",
    "CODE": lambda row: f"{row['jited']} B",
    "LANES": lambda row: filled_lanes(row["stages"]),
}

_ATTACHMENTS: Columns = {"PLACE": "place", "STATE": lambda row: row["drift"] or "attached"}

#: The fullest first; of a map whose entries nobody counts only the size is known.
_MAPS: Columns = {
    "MAP": "name",
    "USED": "used",
    "OF": "max",
    "PRESSURE": lambda row: "" if row["pressure"] is None else f"{row['pressure']:.1%}",
    "COUNTED": lambda row: "" if row["seconds"] is None else f"{row['seconds']:.0f} s ago",
}

_ENDPOINTS: Columns = {
    "ID": "id",
    "NAME": "name",
    "DEVICE": "device",
    "IDENTITY": "identity",
    "ADDRESSES": lambda row: " ".join(row["addresses"]),
}

_DROPS: Columns = {
    "TRUNK": "trunk",
    "REASON": lambda row: f"{row['text']} ({row['reason']}, {row['number']})",
    "OWNER": "owner",
    "PACKETS": "packets",
    "BYTES": "bytes",
}

_PROGRAMS: Columns = {
    "TRUNK": "name",
    "PACKETS": "runs",
    "NS EACH": lambda row: "" if row["each"] is None else f"{row['each']:.0f}",
}

_LANES: Columns = {"PLUGIN": "plugin", "TRUNK": "trunk", "STAGE": "stage", "NS": "nanoseconds"}


def section(
    title: str, rows: Iterable[Row], columns: Columns, inks: Inks | None = None
) -> Iterator[str]:
    """A table with its title, behind an empty line."""
    yield ""
    yield click.style(title, bold=True)
    yield from table(rows, columns, inks)


def plugins_view(plugins: Sequence[Row]) -> Iterator[str]:
    """A row a plugin."""
    return table(plugins, _PLUGINS, {"STATUS": _plugin_ink})


def _plugin_ink(row: Row, text: str) -> str:
    return click.style(text, fg=_COLOURS[row["status"]])


def _attachment_ink(row: Row, text: str) -> str:
    return click.style(text, fg="red" if row["drift"] else "green")


def _maps(maps: dict[str, Row]) -> list[Row]:
    rows = [{"name": name, **row} for name, row in maps.items()]
    return sorted(rows, key=lambda row: -(row["pressure"] or 0))


def _network(network: dict[str, Any]) -> Iterator[str]:
    """How other nodes' pods are reached, and how long a packet to them may be."""
    nodes, mtu = network["nodes"], network["mtu"]
    to = f"to {', '.join(nodes)}" if nodes else "no other node"
    via = f" over {', '.join(network['uplinks'])}" if network["uplinks"] else ""
    yield f"network {network['mode']}, {to}{via}"
    yield f"mtu {mtu['route']}: {'; '.join(mtu['budget'])}"


def _node(node: dict[str, Any]) -> Iterator[str]:
    """Who the node is in its cluster, and how many addresses its pods have."""
    addresses = " ".join(node["addresses"]) or "no addresses"
    yield f"node {node['name']} ({node['id']}) of {node['cluster']}: {addresses}"
    for pool in node["pools"]:
        yield f"pods {pool['network']}, {pool['used']} of {pool['size']} in use"


def _errors(errors: Sequence[Row], told: set[str]) -> Iterator[str]:
    """What has happened, and is not among what is wrong now."""
    for row in errors:
        if row["text"] not in told:
            ago = click.style(f"{timedelta(seconds=round(row['seconds']))} ago", fg="yellow")
            yield f"{ago} {row['text']}"


def findings_view(findings: Sequence[Row]) -> Iterator[str]:
    """What is wrong, each with what to do."""
    if not findings:
        yield click.style("all is well", fg="green")
    for row in findings:
        yield f"{click.style(row['subject'], fg='red')} {row['problem']}"
        yield f"  {click.style('do', bold=True)} {row['remedy']}"


def costs_view(costs: dict[str, Any]) -> Iterator[str]:
    """What programs took of packets that came by, and plugins of probes."""
    yield click.style(f"Programs, for {costs['seconds']:g} s", bold=True)
    yield from table(costs["programs"], _PROGRAMS)
    lanes = sorted(costs["lanes"], key=lambda row: row["plugin"])
    yield from section("Plugins, of a probe", lanes, _LANES)
    if not lanes:
        yield "there is no pod here that a probe could be of"


def status_view(status: dict[str, Any]) -> Iterator[str]:
    """Everything, problems last: that is where a terminal ends."""
    findings = status["findings"]
    yield f"agent {status['pid']}, {status['seconds']:.0f} s, kernel {status['kernel']}"
    yield from _node(status["node"])
    yield from _network(status["network"])
    yield from section("Plugins", status["plugins"], _PLUGINS, {"STATUS": _plugin_ink})
    yield from section("Trunks", status["trunks"], _TRUNKS)
    yield from section(
        "Attachments", status["attachments"], _ATTACHMENTS, {"STATE": _attachment_ink}
    )
    yield from section("Maps", _maps(status["maps"]), _MAPS)
    yield from section("Endpoints", status["endpoints"], _ENDPOINTS)
    yield from section("Drops", status["drops"], _DROPS)
    yield ""
    yield from _errors(status["errors"], {row["problem"] for row in findings})
    yield from findings_view(findings)
