# SPDX-License-Identifier: Apache-2.0
"""`axoneme cleanup`: the node as it was before us."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import bin_dir_option, conf_dir_option, config_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=examples("axoneme cleanup", "axoneme cleanup --force --keep-state"))
@config_option
@bin_dir_option
@conf_dir_option
@click.option("--force", is_flag=True, help="Even if an agent is running.")
@click.option("--keep-state", is_flag=True, help="Leave what other nodes know of this one.")
def cleanup(config: Path, bin_dir: Path, conf_dir: Path, force: bool, keep_state: bool) -> None:
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
        click.echo(phrase)
    if made.problems:
        raise AxonemeError("; ".join(made.problems))
