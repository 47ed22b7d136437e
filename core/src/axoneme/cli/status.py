# SPDX-License-Identifier: Apache-2.0
"""`axoneme status`: one look at everything, and what to do about what is wrong.

It is asked often, by people and by scripts, so it imports little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option, output_option, print_value

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=examples("axoneme status", "axoneme status -o json"))
@config_option
@output_option("table", "json")
def status(config: Path, output: str) -> None:
    """Show what is linked into which program, endpoints, drops, drift and problems."""
    found = ask_agent(config, "status")
    print_value(found, output, _view)


def _view(found: dict[str, Any]) -> Any:
    from axoneme.cli.views import status_view

    return status_view(found)
