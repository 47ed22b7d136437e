# SPDX-License-Identifier: Apache-2.0
"""How values look on a terminal."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

_COLOURS = {"on": "green", "off": "dim", "rejected": "red", "quarantined": "yellow"}


def new_table(title: str, *columns: str) -> Table:
    """A table in the one style of the command."""
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def plugin_table(plugins: Sequence[dict[str, Any]]) -> Table:
    """A row a plugin."""
    table = new_table("Plugins", "NAME", "STATUS", "VERSION", "STAGES", "REASON")
    for row in plugins:
        colour = _COLOURS[row["status"]]
        table.add_row(
            row["name"],
            f"[{colour}]{row['status']}[/]",
            row["version"],
            " ".join(row["stages"]),
            escape(row["reason"]),
        )
    return table


def trunk_table(trunks: Sequence[dict[str, Any]]) -> Table:
    """A row a trunk: its stages in order, with who is linked in."""
    table = new_table("Trunks", "TRUNK", "STAGES", "VERIFIED", "IN", "STACK", "CODE")
    table.columns[1].overflow = "ellipsis"  # breaks between words
    table.columns[1].min_width = 30
    for row in trunks:
        stages = " ".join(
            f"[green]{name}\\[{','.join(plugins)}][/]" if plugins else f"[dim]{name}[/]"
            for name, plugins in row["stages"].items()
        )
        table.add_row(
            row["name"],
            stages,
            f"{row['instructions']} insns",
            f"{row['microseconds'] / 1e3:.1f} ms",
            f"{sum(map(int, filter(None, row['stack'].split('+'))))} B",
            f"{row['jited']} B",
        )
    return table


def drop_table(drops: Sequence[dict[str, Any]]) -> Table:
    """A row a trunk and reason."""
    table = new_table("Drops", "TRUNK", "REASON", "OWNER", "PACKETS", "BYTES")
    for row in drops:
        text = f"{escape(row['text'])} ({row['reason']}, {row['number']})"
        table.add_row(row["trunk"], text, row["owner"], str(row["packets"]), str(row["bytes"]))
    return table


def endpoint_table(endpoints: Sequence[dict[str, Any]]) -> Table:
    """A row an endpoint."""
    table = new_table("Endpoints", "ID", "NAME", "DEVICE", "IDENTITY", "ADDRESSES")
    for row in endpoints:
        addresses = " ".join(row["addresses"])
        table.add_row(str(row["id"]), row["name"], row["device"], str(row["identity"]), addresses)
    return table


def network_lines(network: dict[str, Any]) -> list[str]:
    """How other nodes' pods are reached, and how long a packet to them may be."""
    nodes, mtu = network["nodes"], network["mtu"]
    to = f"to {', '.join(nodes)}" if nodes else "no other node"
    via = f" over {', '.join(network['uplinks'])}" if network["uplinks"] else ""
    return [
        escape(f"network {network['mode']}, {to}{via}"),
        escape(f"mtu {mtu['route']}: {'; '.join(mtu['budget'])}"),
    ]


def node_lines(node: dict[str, Any]) -> list[str]:
    """Who the node is in its cluster, and how many addresses its pods have."""
    lines = [
        f"node {node['name']} ({node['id']}) of {node['cluster']}: {_words(node['addresses'])}"
    ]
    lines += [f"pods {p['network']}, {p['used']} of {p['size']} in use" for p in node["pools"]]
    return [escape(line) for line in lines]


def _words(words: Sequence[str]) -> str:
    return " ".join(words) or "no addresses"


def attachment_table(attachments: Sequence[dict[str, str]]) -> Table:
    """A row a place that a program of ours is attached to."""
    table = new_table("Attachments", "PLACE", "STATE")
    for row in attachments:
        state = f"[red]{escape(row['drift'])}[/]" if row["drift"] else "[green]attached[/]"
        table.add_row(escape(row["place"]), state)
    return table


def map_table(maps: dict[str, dict[str, Any]]) -> Table:
    """A row a map whose entries are counted, the fullest first; of the others only their size."""
    table = new_table("Maps", "MAP", "USED", "OF", "PRESSURE")
    for name, row in sorted(maps.items(), key=lambda item: -(item[1]["pressure"] or 0)):
        counted = row["pressure"] is not None
        share = f"{row['pressure']:.1%}" if counted else ""
        table.add_row(name, str(row["used"]) if counted else "", str(row["max"]), share)
    return table


def error_lines(errors: Sequence[dict[str, Any]], told: set[str]) -> list[str]:
    """What has happened, and is not among what is wrong now."""
    return [
        f"[yellow]{timedelta(seconds=round(row['seconds']))} ago[/] {escape(row['text'])}"
        for row in errors
        if row["text"] not in told
    ]


def findings_view(findings: Sequence[dict[str, str]]) -> RenderableType:
    """What is wrong, each with what to do."""
    if not findings:
        return "[green]all is well[/]"
    return Group(
        *(
            f"[red]{escape(row['subject'])}[/] {escape(row['problem'])}\n"
            f"  [bold]do[/] {escape(row['remedy'])}"
            for row in findings
        )
    )


def cost_view(costs: dict[str, Any]) -> RenderableType:
    """What programs took of packets that came by, and plugins of probes."""
    programs = new_table(f"Programs, for {costs['seconds']:g} s", "TRUNK", "PACKETS", "NS EACH")
    for row in costs["programs"]:
        each = "" if row["each"] is None else f"{row['each']:.0f}"
        programs.add_row(row["name"], str(row["runs"]), each)
    lanes = new_table("Plugins, of a probe", "PLUGIN", "TRUNK", "STAGE", "NS")
    for row in sorted(costs["lanes"], key=lambda row: row["plugin"]):
        lanes.add_row(row["plugin"], row["trunk"], row["stage"], str(row["nanoseconds"]))
    note = "" if costs["lanes"] else "there is no pod here that a probe could be of"
    return Group(programs, lanes, note)


def status_view(status: dict[str, Any]) -> RenderableType:
    """Everything, problems last: that is where a terminal ends."""
    findings = status["findings"]
    return Group(
        f"agent {status['pid']}, {status['seconds']:.0f} s, kernel {status['kernel']}",
        *node_lines(status["node"]),
        *network_lines(status["network"]),
        plugin_table(status["plugins"]),
        trunk_table(status["trunks"]),
        attachment_table(status["attachments"]),
        map_table(status["maps"]),
        endpoint_table(status["endpoints"]),
        drop_table(status["drops"]),
        *error_lines(status["errors"], {row["problem"] for row in findings}),
        findings_view(findings),
    )
