# SPDX-License-Identifier: Apache-2.0
"""`axoneme cni`: the plugin that container runtimes start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import bin_dir_option, conf_dir_option, config_option

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def cni_group() -> None:
    """Install the CNI plugin."""


@cni_group.command(epilog=examples("axoneme cni install"))
@bin_dir_option
@conf_dir_option
@config_option
@click.option(
    "--python",
    default="/usr/bin/python3",
    show_default=True,
    help="The interpreter of the executable; it needs no packages.",
)
@click.option("--network", default="axoneme", show_default=True, help="The network's name.")
def install(bin_dir: Path, conf_dir: Path, config: Path, python: str, network: str) -> None:
    """Write the executable axoneme-cni, and then the network's configuration."""
    from axoneme.cni import install as write
    from axoneme.config import read_agent_config

    run_dir = read_agent_config(config).run_dir
    for path in write(bin_dir, conf_dir, run_dir=run_dir, python=python, network=network):
        click.echo(path)
