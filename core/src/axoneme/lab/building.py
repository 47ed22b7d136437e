# SPDX-License-Identifier: Apache-2.0
"""How a lab comes up and goes down: each step down finds by itself what is there."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from axoneme.errors import AxonemeError
from axoneme.lab.agents import start_agent, wait_for_agents
from axoneme.lab.cni import install_cni
from axoneme.lab.operators import wait_for_networks
from axoneme.lab.places import published
from axoneme.lab.settings import agent_config, operator_config
from axoneme.lab.wire import lay_wire, lead_back
from axoneme.net import cgroups
from axoneme.net.namespaces import MNT_DETACH, MS_PRIVATE, MS_SHARED, mount, umount
from axoneme.sources import NodeFiles

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.lab.lab import Lab
    from axoneme.lab.node import LabNode
    from axoneme.lab.settings import Settings

_TMPFS = "axoneme-lab"
_DIRECTORIES = ("netns", "mounts", "nodes", "pods", "state", "manifests")
_END_SECONDS = 10.0


def build(lab: Lab, settings: Settings) -> None:
    """Make a lab, and return when every process answers and nodes have their networks."""
    _claim(lab)
    with ExitStack() as undo:
        undo.callback(tear_down, lab)
        _prepare(lab)
        nodes = lab.nodes_of(settings)
        for place in (lab.wire, lab.outside, *(node.place for node in nodes)):
            place.make()
        lay_wire(lab.wire, lab.outside, nodes)
        for operator in lab.operators:
            _write(operator.config, operator_config(lab, operator, settings))
            start_agent(operator)
        for node in nodes:
            _write(node.config, agent_config(lab, node, settings))
            install_cni(node)
            start_agent(node)
        wait_for_agents((*nodes, *lab.operators))
        wait_for_networks(lab, len(nodes))
        _lead_back(lab, nodes)
        settings.save(lab.directory / "lab.json")
        undo.pop_all()


def tear_down(lab: Lab) -> None:
    """Remove a lab, whatever of it is there."""
    with ExitStack() as steps:  # all of them are tried
        steps.callback(_remove_directory, lab)
        steps.callback(_unpublish, lab)
        steps.callback(_remove_cgroups, lab)


def _claim(lab: Lab) -> None:
    """Make the lab's directory, which only one can."""
    for program in ("nsenter", "sh"):
        if shutil.which(program) is None:
            raise AxonemeError(f"there is no {program} on PATH; install util-linux and a shell")
    try:
        lab.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lab.directory.mkdir(mode=0o700)
    except FileExistsError:
        raise AxonemeError(
            f"lab {lab.name} is there already; see it with `{lab.command_line('status')}`, or "
            f"take it down with `{lab.command_line('down')}`"
        ) from None
    except PermissionError as error:
        raise AxonemeError(f"cannot make {lab.directory}: {error.strerror}; be root") from None


def _prepare(lab: Lab) -> None:
    """Make the cgroup and the directories; what is mounted there later is seen by all nodes."""
    with suppress(FileExistsError):
        lab.cgroup.parent.mkdir()
    cgroups.create_cgroup(lab.cgroup)
    mount(_TMPFS, str(lab.directory), "tmpfs", data="mode=0700")
    mount("none", str(lab.directory), flags=MS_SHARED)
    for name in _DIRECTORIES:
        (lab.directory / name).mkdir()
    # The kernel keeps no mount namespace in a mount that others share.
    mount(_TMPFS, str(lab.directory / "mounts"), "tmpfs", data="mode=0700")
    mount("none", str(lab.directory / "mounts"), flags=MS_PRIVATE)


def _write(config: Path, text: str) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(text)


def _lead_back(lab: Lab, nodes: tuple[LabNode, ...]) -> None:
    """Let the outside answer pods, whose networks the nodes have by now."""
    by_name = {node.name: node for node in nodes}
    records = NodeFiles(lab.state / "nodes").read().records
    ways = [(cidr, by_name[record.name]) for record in records for cidr in record.networks]
    lead_back(lab.outside, ways)


def _remove_cgroups(lab: Lab) -> None:
    left = cgroups.remove_cgroup(lab.cgroup, _END_SECONDS)
    if left:
        raise AxonemeError(f"processes {left} do not end; they are in cgroup {lab.cgroup}")
    with suppress(OSError):  # other labs are there
        lab.cgroup.parent.rmdir()


def _unpublish(lab: Lab) -> None:
    for path in published(lab.directory):
        path.unlink()
        with suppress(OSError):  # others have names there, or mounts
            path.parent.rmdir()


def _remove_directory(lab: Lab) -> None:
    """Let go of the mounts, which are all that keeps the namespaces, and of the files."""
    while lab.directory.is_mount():
        umount(str(lab.directory), MNT_DETACH)
    if lab.directory.exists():
        shutil.rmtree(lab.directory)
    for directory in (lab.directory.parent, lab.directory.parent.parent):
        with suppress(OSError):  # it is somebody else's too
            directory.rmdir()
