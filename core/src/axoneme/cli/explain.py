# SPDX-License-Identifier: Apache-2.0
"""`axoneme explain`: why a packet gets through, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option, output_option, print_value
from axoneme.cli._words import pod_names

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    epilog=examples(
        "axoneme explain shop/web db:5432",
        "axoneme explain shop/web dns:53/udp -6",
        "axoneme explain world shop/web --type icmp",
    )
)
@click.argument("source", help="Who sends.", shell_complete=pod_names)
@click.argument(
    "target",
    help="Who receives, with :PORT or :PORT/PROTOCOL; not for icmp.",
    shell_complete=pod_names,
)
@click.option("-4", "ipv4", is_flag=True, help="Ask for IPv4.")
@click.option("-6", "ipv6", is_flag=True, help="Ask for IPv6.")
@click.option("--type", "kind", default="", help="tcp, udp, sctp or icmp.")
@config_option
@output_option("text", "json")
def explain(  # noqa: PLR0917 - options are named where they are given
    source: str, target: str, ipv4: bool, ipv6: bool, kind: str, config: Path, output: str
) -> None:
    """Ask the loaded programs what becomes of a packet, and why; nothing is sent or changed.

    Each end is a pod (default/web, or web), host, a node's name, world, or an address.
    """
    if ipv4 and ipv6:
        raise click.UsageError("a packet is of one family: write -4 or -6")
    version = 4 if ipv4 else 6 if ipv6 else 0
    answer = ask_agent(
        config, "explain", source=source, target=target, version=version, protocol=kind
    )
    from axoneme.cli._explain_view import explain_view

    print_value(answer, output, explain_view)
