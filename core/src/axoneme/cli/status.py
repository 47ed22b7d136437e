# SPDX-License-Identifier: Apache-2.0
"""`axoneme status`: one look at everything, and what to do about what is wrong.

It is asked often, by people and by scripts, so it imports little.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from axoneme.cli._durations import Duration
from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option, output_option, print_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAUSE = 0.2


@click.command(
    epilog=examples(
        "axoneme status",
        "axoneme status --brief",
        "axoneme status --wait --wait-duration 1m",
        "axoneme status -o json",
    )
)
@config_option
@output_option("table", "json")
@click.option("--brief", is_flag=True, help="Only whether all is well, and if not, why.")
@click.option("--wait", is_flag=True, help="Return when an agent answers and all is well.")
@click.option(
    "--wait-duration",
    type=Duration(),
    default="5m",
    show_default=True,
    help="How long to wait for that at most.",
)
def status(config: Path, output: str, brief: bool, wait: bool, wait_duration: float) -> None:
    """Show the whole of a node, what is wrong with it, and what to do about that.

    Plugins, programs and where they are attached, maps, addresses, other nodes, drops. The exit
    code is 1 if anything is wrong, and 3 if no agent answers.
    """
    found = _waited(config, wait_duration if wait else 0)
    if brief:
        found = {key: found[key] for key in ("ok", "findings")}
    print_value(found, output, _brief_view if brief else _view)
    if not found["ok"]:
        raise click.exceptions.Exit(1)


def _waited(config: Path, seconds: float) -> dict[str, Any]:
    """The status, when all is well or the time is over."""
    end = time.monotonic() + seconds
    while True:
        over = time.monotonic() + _PAUSE > end
        try:
            found: dict[str, Any] = ask_agent(config, "status")
        except ConnectionError:
            if over:
                raise
        else:
            if found["ok"] or over:
                return found
        time.sleep(_PAUSE)


def _view(found: dict[str, Any]) -> Iterator[str]:
    from axoneme.cli.views import status_view

    return status_view(found)


def _brief_view(found: dict[str, Any]) -> Iterator[str]:
    from axoneme.cli.views import findings_view

    return findings_view(found["findings"])
