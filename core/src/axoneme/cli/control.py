# SPDX-License-Identifier: Apache-2.0
"""What the running agent is told to do, or to count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option
from axoneme.cli._words import plugin_names

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=examples("axoneme metrics", "axoneme metrics | grep drops"))
@config_option
def metrics(config: Path) -> None:
    """Print the metrics in Prometheus's text format."""
    click.echo(ask_agent(config, "metrics"), nl=False)


@click.command(epilog=examples("axoneme reload"))
@config_option
def reload(config: Path) -> None:
    """Let the agent read its configuration again, and say what came of it."""
    click.echo(ask_agent(config, "reload"))


@click.command(epilog=examples("axoneme retry tc"))
@click.argument("plugin", help="The plugin's name.", shell_complete=plugin_names)
@config_option
def retry(plugin: str, config: Path) -> None:
    """Give a rejected or quarantined plugin another chance, and say what came of it."""
    click.echo(ask_agent(config, "retry", plugin=plugin))
