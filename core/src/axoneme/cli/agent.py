# SPDX-License-Identifier: Apache-2.0
"""`axoneme agent`: the process of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import config_option

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.agent import Agent


@click.command(epilog=examples("axoneme agent --log-level debug"))
@config_option
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much is told on standard error.",
)
def agent(config: Path, log_level: str) -> None:
    """Run the agent of this node until SIGTERM; what is attached stays."""
    import asyncio
    import logging

    from axoneme.agent import Agent

    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(_run(Agent, config))


async def _run(kind: type[Agent], config: Path) -> None:
    await kind.start(config).run()
