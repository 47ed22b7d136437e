# SPDX-License-Identifier: Apache-2.0
"""`axoneme explain`: what the loaded programs would do with a packet, and which policy says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option, output_option
from axoneme.cli._words import pod_names

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=examples("axoneme explain shop/web 10.244.1.7 --port 8080"))
@click.argument("pod", help="A pod of this node: default/web.", shell_complete=pod_names)
@click.argument("peer", help="The address of the other end.")
@click.option("--ingress", is_flag=True, help="From the peer to the pod, not the other way.")
@click.option("--protocol", default="tcp", show_default=True, help="tcp or udp.")
@click.option(
    "--port", type=int, default=80, show_default=True, help="The port that the packet is for."
)
@config_option
@output_option("text", "json")
def explain(  # noqa: PLR0917 - options are named where they are given
    pod: str, peer: str, ingress: bool, protocol: str, port: int, config: Path, output: str
) -> None:
    """Say whether the first packet of a flow gets through, and which rule or policies decide.

    The programs themselves are asked, by a probe that changes nothing. Of a packet to a pod of
    another node this node knows its own half: ask there too, with --ingress.
    """
    direction = "ingress" if ingress else "egress"
    question = {"pod": pod, "peer": peer, "direction": direction, "protocol": protocol}
    answer = ask_agent(config, "explain", **question, port=port)
    if output == "json":
        click.echo(json.dumps(answer, indent=2))
        return
    ends = (peer, pod) if ingress else (pod, peer)
    click.echo(f"{ends[0]} to {ends[1]}, {protocol} port {port}: {_sentence(answer)}")


def _sentence(answer: dict[str, Any]) -> str:
    """What became of the packet, for people."""
    if answer["verdict"] != "drop":
        rules = " and ".join(answer["rules"])
        return "passes" + (f", by {rules}" if rules else "; no policy had to allow it")
    reason = answer["reason"] or "the trunk drops it"
    by = f" in stage {answer['stage']}" if answer["stage"] else ""
    policies = ", ".join(answer["policies"])
    return f"dropped{by}: {reason}" + (f", by {policies}" if policies else "")
