# SPDX-License-Identifier: Apache-2.0
"""`axoneme operator`: the process that gives nodes networks, and what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from axoneme.cli._groups import LazyGroup, examples
from axoneme.cli._options import config_option, output_option, print_value, run_dir

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.operator import Operator


@click.group(
    cls=LazyGroup,
    places={"status": "axoneme.cli.operator:status"},
    invoke_without_command=True,
    epilog=examples("axoneme operator --log-level debug", "axoneme operator status"),
)
@config_option
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much is told on standard error.",
)
@click.pass_context
def operator_group(context: click.Context, config: Path, log_level: str) -> None:
    """Give nodes their networks until SIGTERM; of several operators one leads."""
    if context.invoked_subcommand is not None:
        context.default_map = {context.invoked_subcommand: {"config": config}}
        return
    import asyncio
    import logging

    from axoneme.operator import Operator

    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(_run(Operator, config))


async def _run(kind: type[Operator], config: Path) -> None:
    await kind.start(config).run()


@click.command(epilog=examples("axoneme operator status", "axoneme operator status -o json"))
@config_option
@output_option("table", "json")
def status(config: Path, output: str) -> None:
    """Show whether the operator leads, the pools, and what is wrong.

    The exit code is 1 if anything is wrong, and 3 if no operator answers.
    """
    from axoneme.agent.client import OPERATOR_SOCKET, ask_at

    found: dict[str, Any] = ask_at(run_dir(config) / OPERATOR_SOCKET, "status")
    print_value(found, output, _view)
    if not found["ok"]:
        raise click.exceptions.Exit(1)


def _view(found: dict[str, Any]) -> Any:
    from axoneme.cli._operator_view import operator_view

    return operator_view(found)
