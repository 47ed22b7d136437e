# SPDX-License-Identifier: Apache-2.0
"""`axoneme plugins`: which are on, and what they cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from axoneme.cli._durations import Duration
from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option, output_option, print_value

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    epilog=examples(
        "axoneme plugins", "axoneme plugins -o json", "axoneme plugins --cost --cost-duration 10s"
    )
)
@config_option
@output_option("table", "json")
@click.option("--cost", is_flag=True, help="How many nanoseconds each takes of a packet's time.")
@click.option(
    "--cost-duration",
    type=Duration(),
    default="2s",
    show_default=True,
    help="How long the kernel counts the programs' runs for that.",
)
def plugins(config: Path, output: str, cost: bool, cost_duration: float) -> None:
    """List the plugins: which are on, which are rejected or quarantined, and why.

    With --cost, what they cost: of each program while packets come by, as the kernel counts it,
    and of each plugin in each stage, as probe packets tell that change nothing.
    """
    from axoneme.cli import views

    if cost:
        print_value(_costs(config, cost_duration), output, views.costs_view)
    else:
        print_value(ask_agent(config, "status")["plugins"], output, views.plugins_view)


def _costs(config: Path, seconds: float) -> dict[str, Any]:
    """The runs of programs for some seconds, and the times of lanes."""
    from axoneme.datapath.runtimes import counted_runs

    with counted_runs():
        before = {row["name"]: row for row in ask_agent(config, "runs")}
        time.sleep(seconds)
        after = ask_agent(config, "runs")
    programs = [_since(row, before.get(row["name"], row)) for row in after]
    return {"seconds": seconds, "programs": programs, "lanes": ask_agent(config, "costs")}


def _since(row: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What has come to a program; one that was swapped meanwhile has begun anew."""
    if row["runs"] < before["runs"]:
        before = {"runs": 0, "nanoseconds": 0}
    runs = row["runs"] - before["runs"]
    nanoseconds = row["nanoseconds"] - before["nanoseconds"]
    return {"name": row["name"], "runs": runs, "each": nanoseconds / runs if runs else None}
