# SPDX-License-Identifier: Apache-2.0
"""The command's entry: what each subcommand imports, it imports when it runs."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from axoneme.errors import AxonemeError

app = typer.Typer(
    help="Axoneme: a Kubernetes network of plugins, linked into eBPF.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_Config = Annotated[Path, typer.Option("--config", help="The configuration, a TOML file.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_CONFIG = Path("/etc/axoneme/axoneme.toml")


@app.command()
def agent(
    config: _Config = DEFAULT_CONFIG,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the agent of this node until SIGTERM; what is attached stays."""
    from axoneme.agent import Agent

    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(_run(Agent, config))


async def _run(kind: Any, config: Path) -> None:
    await kind.start(config).run()


@app.command()
def plugins(config: _Config = DEFAULT_CONFIG, as_json: _Json = False) -> None:
    """List the plugins: which are on, which are rejected or quarantined, and why."""
    from axoneme.cli.views import plugin_table

    rows = _ask(config, "status")["plugins"]
    _print(rows, as_json, plugin_table)


@app.command()
def status(config: _Config = DEFAULT_CONFIG, as_json: _Json = False) -> None:
    """Show what is linked into which program, endpoints, drops, drift and problems."""
    from axoneme.cli.views import status_view

    _print(_ask(config, "status"), as_json, status_view)


@app.command()
def metrics(config: _Config = DEFAULT_CONFIG) -> None:
    """Print the metrics in Prometheus's text format."""
    typer.echo(_ask(config, "metrics"), nl=False)


@app.command()
def reload(config: _Config = DEFAULT_CONFIG) -> None:
    """Let the agent read its configuration again, and say what came of it."""
    typer.echo(_ask(config, "reload"))


@app.command()
def retry(plugin: str, config: _Config = DEFAULT_CONFIG) -> None:
    """Give a rejected or quarantined plugin another chance, and say what came of it."""
    typer.echo(_ask(config, "retry", plugin=plugin))


def _ask(config: Path, method: str, **arguments: Any) -> Any:
    from axoneme.agent.server import ask
    from axoneme.config import read_agent_config

    return ask(read_agent_config(config).run_dir, method, **arguments)


def _print(value: Any, as_json: bool, view: Any) -> None:
    if as_json:
        typer.echo(json.dumps(value, indent=2))
        return
    from rich.console import Console

    Console().print(view(value))


def _mount() -> None:
    from axoneme.cli.cleanup import cleanup
    from axoneme.cli.cni import cni_app
    from axoneme.cli.explain import explain
    from axoneme.cli.lab import lab_app
    from axoneme.cli.plugin import plugin_app

    app.command()(explain)
    app.command()(cleanup)
    app.add_typer(plugin_app, name="plugin")
    app.add_typer(cni_app, name="cni")
    app.add_typer(lab_app, name="lab")


def main() -> None:
    """Run the command; an error of ours is its sentence, without a traceback."""
    _mount()
    try:
        app()
    except (AxonemeError, ConnectionError) as error:
        typer.secho(f"axoneme: {error}", fg="red", err=True)
        sys.exit(1)
