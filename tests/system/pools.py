# SPDX-License-Identifier: Apache-2.0
"""A plugin that gives each node one part of a network, installed as a stranger's would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PLUGIN = """
from ipaddress import IPv4Network

from attrs import frozen

from axoneme import hookimpl
from axoneme.model import Assignment, AssignmentPlan, PoolState, StrandedNetwork


@frozen
class Config:
    network: IPv4Network = IPv4Network("10.0.0.0/16")
    mask: int = 24
    faulty: bool = False


@hookimpl
def axoneme_config():
    return Config


@hookimpl
def axoneme_assign_networks(cluster, config):
    if config.faulty:
        raise RuntimeError("no idea")
    mine = {node.name: node.ipam.pod_cidrs for node in cluster.nodes}
    taken = {*cluster.taken, *(one for cidrs in mine.values() for one in cidrs)}
    parts = list(config.network.subnets(new_prefix=config.mask))
    free = iter([part for part in parts if not any(map(part.overlaps, taken))])
    made, errors = [], {}
    for name in (name for name, cidrs in mine.items() if not cidrs):
        part = next(free, None)
        if part is None:
            errors[name] = "nothing is left of pools.network"
        else:
            made.append(Assignment(name, (part,)))
    stranded = [
        StrandedNetwork(name, one, f"has only {config.network}")
        for name, cidrs in mine.items() for one in cidrs if not one.subnet_of(config.network)
    ]
    state = PoolState("default", 4, len(parts), len(parts) - len(list(free)))
    return AssignmentPlan(made, errors, tuple(errors.values()), (state,), tuple(stranded))
"""


def install_pools(directory: Path, name: str = "pools") -> dict[str, str]:
    """Install the plugin; the environment in which a process finds it."""
    directory.mkdir(exist_ok=True)
    (directory / f"axoneme_{name}.py").write_text(_PLUGIN)
    info = directory / f"axoneme_{name}-1.0.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: axoneme-{name}", "Version: 1.0"]
    (info / "METADATA").write_text("\n".join([*lines, "Requires-Dist: axoneme>=0", ""]))
    (info / "entry_points.txt").write_text(f"[axoneme.plugins]\n{name} = axoneme_{name}\n")
    return {"PYTHONPATH": str(directory)}
