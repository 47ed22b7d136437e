# SPDX-License-Identifier: Apache-2.0
"""`axoneme cleanup`: the node as it was before us."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_BinDir = Annotated[Path, typer.Option(help="Where runtimes look for plugins.")]
_ConfDir = Annotated[Path, typer.Option(help="Where they look for networks.")]
_Config = Annotated[Path, typer.Option("--config", help="The configuration, a TOML file.")]


def cleanup(
    config: _Config = Path("/etc/axoneme/axoneme.toml"),
    bin_dir: _BinDir = Path("/opt/cni/bin"),
    conf_dir: _ConfDir = Path("/etc/cni/net.d"),
    force: Annotated[bool, typer.Option(help="Even if an agent is running.")] = False,
    keep_state: Annotated[
        bool, typer.Option(help="Leave what other nodes know of this one.")
    ] = False,
) -> None:
    """Remove programs, maps, devices, routes and files of ours from this node, and say which.

    Pods that came through the CNI lose their network. End the agent first.
    """
    from axoneme.agent.cleanup import Cleanup, running_agent
    from axoneme.config import AgentConfig, read_agent_config
    from axoneme.errors import AxonemeError

    agent = read_agent_config(config) if config.exists() else AgentConfig()
    pid = running_agent(agent.run_dir)
    if pid is not None and not force:
        who = f"process {pid}" if pid else "which does not say its process"
        raise AxonemeError(f"the agent is running ({who}): end it first, or say --force")
    made = Cleanup(agent)
    made.run(bin_dir=bin_dir, conf_dir=conf_dir, keep_state=keep_state)
    for phrase in made.removed or ["nothing of ours is here"]:
        typer.echo(phrase)
    if made.problems:
        raise AxonemeError("; ".join(made.problems))
