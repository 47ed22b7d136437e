# SPDX-License-Identifier: Apache-2.0
"""`axoneme plugins`: which are on, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option, output_option, print_value

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=examples("axoneme plugins", "axoneme plugins -o json"))
@config_option
@output_option("table", "json")
def plugins(config: Path, output: str) -> None:
    """List the plugins: which are on, which are rejected or quarantined, and why."""
    from axoneme.cli.views import plugin_table

    print_value(ask_agent(config, "status")["plugins"], output, plugin_table)
