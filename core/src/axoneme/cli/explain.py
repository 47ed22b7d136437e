# SPDX-License-Identifier: Apache-2.0
"""`axoneme explain`: what the loaded programs would do with a packet, and which policy says so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

_Config = Annotated[Path, typer.Option("--config", help="The configuration, a TOML file.")]


def explain(
    pod: Annotated[str, typer.Argument(help="A pod of this node: default/web.")],
    peer: Annotated[str, typer.Argument(help="The address of the other end.")],
    *,
    config: _Config = Path("/etc/axoneme/axoneme.toml"),
    ingress: Annotated[
        bool, typer.Option("--ingress", help="From the peer to the pod, not the other way.")
    ] = False,
    protocol: Annotated[str, typer.Option(help="tcp or udp.")] = "tcp",
    port: Annotated[int, typer.Option(help="The port that the packet is for.")] = 80,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether the first packet of a flow gets through, and which rule or policies decide.

    The programs themselves are asked, by a probe that changes nothing. Of a packet to a pod of
    another node this node knows its own half: ask there too, with --ingress.
    """
    import json

    from axoneme.agent.server import ask
    from axoneme.config import read_agent_config

    answer = ask(
        read_agent_config(config).run_dir,
        "explain",
        pod=pod,
        peer=peer,
        direction="ingress" if ingress else "egress",
        protocol=protocol,
        port=port,
    )
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    ends = (peer, pod) if ingress else (pod, peer)
    typer.echo(f"{ends[0]} to {ends[1]}, {protocol} port {port}: {_sentence(answer)}")


def _sentence(answer: dict[str, Any]) -> str:
    """What became of the packet, for people."""
    if answer["verdict"] != "drop":
        rules = " and ".join(answer["rules"])
        return "passes" + (f", by {rules}" if rules else "; no policy had to allow it")
    reason = answer["reason"] or "the trunk drops it"
    by = f" in stage {answer['stage']}" if answer["stage"] else ""
    policies = ", ".join(answer["policies"])
    return f"dropped{by}: {reason}" + (f", by {policies}" if policies else "")
