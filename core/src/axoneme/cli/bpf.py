# SPDX-License-Identifier: Apache-2.0
"""`axoneme bpf`: what the kernel holds, read from the pins; no agent is asked or needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from axoneme.cli._groups import examples
from axoneme.cli._options import config_option, output_option
from axoneme.cli._words import pod_names
from axoneme.cli.rows import print_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from axoneme.agent.names import StoredNames
    from axoneme.datapath import PinnedMaps

_formats = output_option("table", "json")


@click.group()
def bpf_group() -> None:
    """Show what the kernel holds, with or without an agent."""


@bpf_group.group("endpoint")
def endpoint_group() -> None:
    """The pods of this node, by address."""


@bpf_group.group("ipcache")
def ipcache_group() -> None:
    """Who has which address or network."""


@bpf_group.group("policy")
def policy_group() -> None:
    """What policies let in and out of the pods of this node."""


@bpf_group.group("ct")
def ct_group() -> None:
    """The connections that are known."""


@bpf_group.group("lanes")
def lanes_group() -> None:
    """The programs at each pod and device, and who is linked into them."""


@contextmanager
def _opened(config: Path) -> Iterator[tuple[PinnedMaps, StoredNames]]:
    from axoneme.agent.names import StoredNames
    from axoneme.config import read_agent_config
    from axoneme.datapath import PinnedMaps
    from axoneme.sources import EmbeddedSource

    agent = read_agent_config(config)
    with PinnedMaps(agent.bpffs) as maps:
        yield maps, StoredNames(EmbeddedSource(agent.state_dir), maps)


@endpoint_group.command("list", epilog=examples("axoneme bpf endpoint list"))
@config_option
@_formats
def endpoint_list(config: Path, output: str) -> None:
    """List the addresses of this node's pods as the programs find them."""
    from axoneme.agent.kernel_lists import list_endpoints
    from axoneme.cli._bpf_columns import ADDRESSES

    with _opened(config) as (maps, names):
        print_rows(list_endpoints(maps, names), ADDRESSES, output)


@ipcache_group.command("list", epilog=examples("axoneme bpf ipcache list"))
@config_option
@_formats
def ipcache_list(config: Path, output: str) -> None:
    """List addresses of the cluster and networks of policies, and whose they are."""
    from axoneme.agent.kernel_lists import list_ipcache
    from axoneme.cli._bpf_columns import PREFIXES

    with _opened(config) as (maps, names):
        print_rows(list_ipcache(maps, names), PREFIXES, output)


@policy_group.command("list", epilog=examples("axoneme bpf policy list --identity 256"))
@click.option("--identity", type=int, help="Only what holds for endpoints of this identity.")
@config_option
@_formats
def policy_list(identity: int | None, config: Path, output: str) -> None:
    """List the entries of each rule set, and which rule of which policy each is from."""
    from axoneme.agent.kernel_lists import list_policy
    from axoneme.cli._bpf_columns import ENTRIES

    with _opened(config) as (maps, names):
        print_rows(list_policy(maps, names, identity), ENTRIES, output)


@ct_group.command("list", epilog=examples("axoneme bpf ct list --pod shop/web"))
@click.option(
    "--pod", default="", help="Only those of a pod, such as shop/web.", shell_complete=pod_names
)
@config_option
@_formats
def ct_list(pod: str, config: Path, output: str) -> None:
    """List connections as they are read, in no order: there may be a million.

    A rule is the one that let the connection pass; `-` means that it is asked for again at the
    next packet.
    """
    from axoneme.agent.kernel_lists import addresses_of, list_flows
    from axoneme.cli._bpf_columns import FLOWS

    with _opened(config) as (maps, names):
        addresses = addresses_of(pod, names) if pod else ()
        print_rows(list_flows(maps, names, addresses), FLOWS, output)


@lanes_group.command("list", epilog=examples("axoneme bpf lanes list --all-stages"))
@click.option("--all-stages", is_flag=True, help="Those that nobody fills, too.")
@config_option
@_formats
def lanes_list(all_stages: bool, config: Path, output: str) -> None:
    """List each attached program: for each pod its trunks, their stages, and the plugins in them.

    It is read from the programs themselves.
    """
    from axoneme.agent.kernel_lists import list_lanes
    from axoneme.cli._bpf_columns import LANES, STAGES
    from axoneme.datapath import read_attached

    with _opened(config) as (maps, names):
        rows = list_lanes(read_attached(maps.bpffs), maps, names)
        print_rows(rows, STAGES if all_stages else LANES, output)
