# SPDX-License-Identifier: Apache-2.0
"""Options that commands share, and the running agent that they lead to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from axoneme.agent.client import ask
from axoneme.defaults import CONFIG_FILE, CONFIG_VARIABLE, RUN_DIR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar=CONFIG_VARIABLE,
    default=CONFIG_FILE,
    show_default=True,
    show_envvar=True,
    metavar="FILE",
    help="The configuration, a TOML file.",
)

bin_dir_option = click.option(
    "--bin-dir",
    type=click.Path(path_type=Path),
    default=Path("/opt/cni/bin"),
    show_default=True,
    help="Where runtimes look for plugins.",
)
conf_dir_option = click.option(
    "--conf-dir",
    type=click.Path(path_type=Path),
    default=Path("/etc/cni/net.d"),
    show_default=True,
    help="Where they look for networks.",
)


def output_option(*formats: str) -> Callable[[Any], Any]:
    """The option `-o`, whose default is the first of the formats."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How it is printed.",
    )


def ask_agent(config: Path, method: str, **arguments: Any) -> Any:
    """Ask the agent that has this configuration.

    Raises:
        ConnectionError: no agent is running there.
        AxonemeError: its own words, or the file does not say where it is.
    """
    return ask(run_dir(config), method, **arguments)


def run_dir(config: Path) -> Path:
    """Where the agent's socket is. Whatever else is wrong with the file is not asked for here."""
    import tomllib

    try:
        said = tomllib.loads(config.read_text()).get("agent", {}).get("run-dir", str(RUN_DIR))
        if isinstance(said, str) and said.startswith("/"):
            return Path(said)
    except (OSError, ValueError, AttributeError):
        pass
    from axoneme.config import read_agent_config  # which says what is wrong

    return read_agent_config(config).run_dir


def print_value(value: Any, output: str, view: Callable[[Any], Iterable[str]]) -> None:
    """Print a value as JSON, or the lines that `view` makes of it."""
    text = json.dumps(value, indent=2) if output == "json" else "\n".join(view(value))
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
