# SPDX-License-Identifier: Apache-2.0
"""`axoneme endpoint|identity|policy|node`: what the agent of this node knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import ask_agent, config_option, output_option
from axoneme.cli._words import pod_names
from axoneme.cli.rows import print_row, print_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from axoneme.cli.rows import Row

_formats = output_option("table", "json")


@click.group()
def endpoint_group() -> None:
    """Show the endpoints of this node."""


@click.group()
def identity_group() -> None:
    """Show the identities of the cluster."""


@click.group()
def policy_group() -> None:
    """Show the policies in effect."""


@click.group()
def node_group() -> None:
    """Show the nodes of the cluster."""


@endpoint_group.command(
    "list", epilog=examples("axoneme endpoint list", "axoneme endpoint list -o json")
)
@config_option
@_formats
def endpoint_list(config: Path, output: str) -> None:
    """List the endpoints of this node, with identity and whether policies hold for them."""
    from axoneme.cli._list_columns import ENDPOINTS

    print_rows(ask_agent(config, "endpoints"), ENDPOINTS, output)


@endpoint_group.command("get", epilog=examples("axoneme endpoint get shop/web"))
@click.argument(
    "endpoint", help="Its id, name or address, such as shop/web.", shell_complete=pod_names
)
@config_option
@_formats
def endpoint_get(endpoint: str, config: Path, output: str) -> None:
    """Show all of one endpoint."""
    from axoneme.cli._list_columns import ENDPOINT

    rows = ask_agent(config, "endpoints")
    print_row(_find("endpoint", endpoint, rows, _endpoint_words), ENDPOINT, output)


def _endpoint_words(row: Row) -> tuple[str, ...]:
    return str(row["id"]), row["name"], row["pod"], *row["addresses"]


@identity_group.command("list", epilog=examples("axoneme identity list --endpoints"))
@click.option("--endpoints", is_flag=True, help="Only those that an endpoint has.")
@config_option
@_formats
def identity_list(endpoints: bool, config: Path, output: str) -> None:
    """List the identities: reserved ones, those of labels, those of networks in policies."""
    from axoneme.cli._list_columns import IDENTITIES

    rows = ask_agent(config, "identities")
    print_rows((r for r in rows if r["endpoints"] or not endpoints), IDENTITIES, output)


@identity_group.command(
    "get", epilog=examples("axoneme identity get 256", "axoneme identity get host")
)
@click.argument("identity", help="Its number, or the name of a reserved one.")
@config_option
@_formats
def identity_get(identity: str, config: Path, output: str) -> None:
    """Show all of one identity."""
    from axoneme.cli._list_columns import IDENTITY

    rows = ask_agent(config, "identities")
    print_row(_find("identity", identity, rows, _identity_words), IDENTITY, output)


def _identity_words(row: Row) -> tuple[str, ...]:
    names = [row["name"]] if row["name"] else []
    return str(row["identity"]), *names


@policy_group.command("get", epilog=examples("axoneme policy get", "axoneme policy get shop/web"))
@click.argument("policy", default="", help="A policy such as shop/web; all if not given.")
@config_option
@_formats
def policy_get(policy: str, config: Path, output: str) -> None:
    """Show the policies in effect: whom each selects here, and its rules.

    ENTRIES is how many entries of the maps a rule has become.
    """
    from axoneme.cli._list_columns import POLICIES

    rows = ask_agent(config, "policies")
    if policy:
        _find("policy", policy, rows, _policy_words)
        rows = [row for row in rows if policy in _policy_words(row)]
    print_rows(rows if output == "json" else _by_rule(rows), POLICIES, output)


def _policy_words(row: Row) -> tuple[str, ...]:
    full = row["name"].split()[-1]
    return row["name"], full, full.partition("/")[2]


def _by_rule(policies: Iterable[Row]) -> Iterable[Row]:
    """A row a rule, and one for what no rule of the policy allows."""
    for policy in policies:
        head = {"policy": policy["name"], "kind": policy["kind"], "endpoints": policy["endpoints"]}
        for rule in policy["rules"]:
            yield head | rule
        for direction in policy["default-deny"]:
            yield head | {
                "rule": f"{direction} default",
                "verdict": "deny",
                "peers": ["everyone else"],
                "ports": ["any"],
                "entries": None,
            }


@node_group.command("list", epilog=examples("axoneme node list"))
@config_option
@_formats
def node_list(config: Path, output: str) -> None:
    """List the nodes of the cluster, this one first, and how their pods are reached."""
    from axoneme.cli._list_columns import NODES

    print_rows(ask_agent(config, "nodes"), NODES, output)


def _find(
    what: str, word: str, rows: Iterable[Row], words: Callable[[Row], tuple[str, ...]]
) -> Row:
    """The first row that goes by a word.

    Raises:
        AxonemeError: there is none; it names the nearest word.
    """
    from axoneme.errors import AxonemeError, nearest

    known: list[str] = []
    for row in rows:
        if word in words(row):
            return row
        known += words(row)
    near = nearest(word, known)
    raise AxonemeError(f"there is no {what} {word}" + (f"; did you mean {near}?" if near else ""))
