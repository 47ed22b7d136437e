# SPDX-License-Identifier: Apache-2.0
"""`axoneme ipam`: the addresses of this node's pods, and the pools that they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option, output_option, run_dir
from axoneme.cli._words import pod_names
from axoneme.cli.rows import print_row, print_rows

if TYPE_CHECKING:
    from pathlib import Path

_formats = output_option("table", "json")


@click.group()
def ipam_group() -> None:
    """Show who has which address, of which pool, and why."""


@ipam_group.command("list", epilog=examples("axoneme ipam list", "axoneme ipam list -o json"))
@config_option
@_formats
def ipam_list(config: Path, output: str) -> None:
    """List the addresses of this node: those in use, and those that rest after their release."""
    from axoneme.cli._ipam_columns import ADDRESSES

    print_rows(ask_agent(config, "addresses"), ADDRESSES, output)


@ipam_group.command("pools", epilog=examples("axoneme ipam pools", "axoneme ipam pools --cluster"))
@click.option("--cluster", is_flag=True, help="Those of the cluster, as its operator counts them.")
@config_option
@_formats
def ipam_pools(cluster: bool, config: Path, output: str) -> None:
    """List the networks of this node's pools, and how many addresses are used, resting and free.

    With --cluster, how many parts of each pool nodes have: the operator that has this
    configuration is asked, and answers while it leads.
    """
    from axoneme.cli._ipam_columns import CLUSTER_POOLS, POOLS

    if cluster:
        print_rows(_of_operator(config), CLUSTER_POOLS, output)
    else:
        print_rows(ask_agent(config, "address-pools"), POOLS, output)


def _of_operator(config: Path) -> list[dict[str, object]]:
    """The pools of the cluster.

    Raises:
        ConnectionError: no operator is running there.
        AxonemeError: another one leads, and knows.
    """
    from axoneme.agent.client import OPERATOR_SOCKET, ask_at
    from axoneme.errors import AxonemeError

    found = ask_at(run_dir(config) / OPERATOR_SOCKET, "status")
    if not found["leading"]:
        who = found["leader"] or "nobody"
        raise AxonemeError(f"this operator waits, and knows of no pools: {who} leads")
    pools: list[dict[str, object]] = found["pools"]
    return pools


@ipam_group.command(
    "explain", epilog=examples("axoneme ipam explain shop/web", "axoneme ipam explain web")
)
@click.argument(
    "pod", help="Its name, such as shop/web; it need not be there yet.", shell_complete=pod_names
)
@config_option
@_formats
def ipam_explain(pod: str, config: Path, output: str) -> None:
    """Show why a pod's addresses are of their pools, and what it has, or would get now, or why not.

    What chooses the pools is read from manifests: annotations of the pod and of its namespace,
    and the pools' own selectors.
    """
    from axoneme.cli._ipam_columns import EXPLAINED

    print_row(ask_agent(config, "explain-addresses", pod=pod), EXPLAINED, output)
