# SPDX-License-Identifier: Apache-2.0
"""`axoneme cni`: the plugin that container runtimes start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

cni_app = typer.Typer(help="Install the CNI plugin.", no_args_is_help=True, rich_markup_mode=None)

_BinDir = Annotated[Path, typer.Option(help="Where runtimes look for plugins.")]
_ConfDir = Annotated[Path, typer.Option(help="Where they look for networks.")]


@cni_app.callback()
def _group() -> None:
    """Install the CNI plugin."""


@cni_app.command()
def install(
    bin_dir: _BinDir = Path("/opt/cni/bin"),
    conf_dir: _ConfDir = Path("/etc/cni/net.d"),
    config: Annotated[
        Path, typer.Option("--config", help="The agent's configuration, a TOML file.")
    ] = Path("/etc/axoneme/axoneme.toml"),
    python: Annotated[
        str, typer.Option(help="The interpreter of the executable; it needs no packages.")
    ] = "/usr/bin/python3",
    network: Annotated[str, typer.Option(help="The network's name.")] = "axoneme",
) -> None:
    """Write the executable axoneme-cni, and then the network's configuration."""
    from axoneme.cni import install as write
    from axoneme.config import read_agent_config

    run_dir = read_agent_config(config).run_dir
    for path in write(bin_dir, conf_dir, run_dir=run_dir, python=python, network=network):
        typer.echo(path)
