# SPDX-License-Identifier: Apache-2.0
"""Everything of ours leaves the node: what agents of any version put there, found without them.

What is removed is found by what it is called or numbered, not by what somebody remembers; so it can
be done again, and after a crash. Settings of devices that the agent made go with them; what others
were is in the run directory.
"""

from __future__ import annotations

import shutil
import socket
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.cni import uninstall
from axoneme.datapath import Pins, remove_clsact
from axoneme.errors import AxonemeError
from axoneme.net import Netlink
from axoneme.sources import EmbeddedSource

from .client import SOCKET, ask
from .cni_values import POD_DEVICE
from .devices import remove_stale_filters
from .kernel_settings import restore_settings
from .neighbours import keep_neighbours
from .overlay import remove_overlay
from .routes import drop_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from axoneme.config import AgentConfig

#: What an agent keeps in its run directory.
_RUN_FILES = (SOCKET, "cni.sock", "cni-queue", "attachments")
_BCC_PINS = "axoneme-bcc-*"


@define
class Cleanup:
    """What was removed, a phrase each, and what could not be."""

    agent: AgentConfig
    removed: list[str] = field(factory=list, init=False)
    problems: list[str] = field(factory=list, init=False)

    def run(self, *, bin_dir: Path, conf_dir: Path, keep_state: bool = False) -> None:
        """Remove all of it, in an order in which nothing is made again meanwhile."""
        self._do(lambda: uninstall(bin_dir, conf_dir, run_dir=self.agent.run_dir))
        self._do(self._pins)
        with Netlink() as netlink:
            self._do(lambda: _filters(netlink))
            self._do(lambda: _pod_devices(netlink))
            self._do(lambda: drop_routes(netlink))
            self._do(lambda: keep_neighbours(netlink, ()))
            self._do(lambda: remove_overlay(netlink))
        self._do(lambda: restore_settings(self.agent.run_dir))
        if not keep_state:
            self._do(self._state)
        self._do(self._run_files)

    def _do(self, step: Callable[[], Iterable[str]]) -> None:
        """One step; when it fails the others are done all the same."""
        try:
            self.removed += step()
        except (AxonemeError, OSError) as error:
            self.problems.append(str(error))

    def _pins(self) -> list[str]:
        pins = Pins(self.agent.bpffs)
        removed = [f"pin {pins.root.name}/{name}" for name in pins.remove()]
        for left in self.agent.bpffs.glob(_BCC_PINS):
            shutil.rmtree(left)
            removed.append(f"pins {left.name}")
        return removed

    def _state(self) -> list[str]:
        """What the cluster knows of this node and its pods."""
        name = self.agent.node_name or socket.gethostname().lower()
        if not self.agent.state_dir.is_dir():
            return []
        source = EmbeddedSource(self.agent.state_dir)
        removed = []
        for record in source.read().of_node(name):
            source.delete(record.namespace, record.name)
            removed.append(f"endpoint {record}")
        if source.nodes.read().get(name) is not None:
            removed.append(f"node {name}, its number and networks")
        allocations = source.allocations(name)
        if allocations.is_dir():
            shutil.rmtree(allocations)
            source.ipam_settings(name).unlink(missing_ok=True)
            removed.append(f"what {name} knew of its pods' addresses")
        last_good = source.last_good(name)
        if last_good.is_dir():
            shutil.rmtree(last_good)
            removed.append(f"manifests of {name} as they were last")
        source.nodes.delete(name)
        source.node_ids.release(name)
        return removed

    def _run_files(self) -> list[str]:
        """The agent's own files; the directory stays if there is something else in it."""
        directory, removed = self.agent.run_dir, []
        for name in _RUN_FILES:
            path = directory / name
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
            else:
                continue
            removed.append(f"{path}")
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
            removed.append(f"{directory}")
        return removed


def running_agent(run_dir: Path) -> int | None:
    """The process of the agent that answers there, None if none does."""
    try:
        return int(ask(run_dir, "status")["pid"])
    except ConnectionError:
        return None
    except (AxonemeError, OSError, ValueError):
        return 0  # somebody is there, and does not say who


def _filters(netlink: Netlink) -> list[str]:
    """Our filters below kernel 6.6, and a device's qdisc where no other tool's are left."""
    removed = remove_stale_filters(())
    for name in dict.fromkeys(place.rpartition(" on ")[2] for place in removed):
        link = netlink.find_link(name)
        if link is not None and not any(netlink.filters(link, d) for d in ("ingress", "egress")):
            remove_clsact(link.index)
    return [f"filter {place}" for place in removed]


def _pod_devices(netlink: Netlink) -> list[str]:
    """The links of pods that came through the CNI: both ends, with addresses and routes."""
    removed = []
    for link in netlink.links():
        if link.kind == "veth" and POD_DEVICE.fullmatch(link.name):
            netlink.delete_link(link)
            removed.append(f"device {link.name}")
    return removed
