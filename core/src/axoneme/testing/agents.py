# SPDX-License-Identifier: Apache-2.0
"""Agents: the real process, in a node of the test kit."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Self

from axoneme.agent.client import SOCKET
from axoneme.sources import EmbeddedSource, EndpointRecord
from axoneme.testing._daemons import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from axoneme.model import Network
    from axoneme.testing.nodes import Node
    from axoneme.testing.pods import Pod

_FIRST_IDENTITY = 1000


class AgentProcess(Daemon):
    """`axoneme agent` with a configuration and a run directory below `directory`.

    `cluster` has the state directory and the manifests, which agents share; by default this one
    is alone.
    """

    def __init__(self, node: Node, directory: Path, cluster: Path | None = None) -> None:
        shared = cluster or directory
        self.node = node
        self.config = directory / "axoneme.toml"
        self.run_dir = directory / "run"
        self.manifests = shared / "manifests"
        self.manifests.mkdir(exist_ok=True)
        self.source = EmbeddedSource(shared / "state")
        self.source.create()
        super().__init__(self.run_dir / SOCKET)

    def configure(
        self,
        plugins: Sequence[str] = (),
        sections: str = "",
        *,
        networks: Iterable[Network] = (),
        name: str = "one",
    ) -> None:
        """Write the configuration in one step; a running agent notices.

        With `networks` the node is called `name`, and gives addresses of them to its pods, as a
        manifest of Kubernetes says.
        """
        if networks:
            self.write_node(name, networks)
            plugins = [*plugins, "ipam"]
            sections = f'node-name = "{name}"\n{sections}\n[ipam]\nmode = "kubernetes"\n'
        directories = {
            "state-dir": self.source.endpoints.parent,
            "run-dir": self.run_dir,
            "manifests-dir": self.manifests,
        }
        lines = [f'{key} = "{path}"\n' for key, path in directories.items()]
        draft = self.config.with_suffix(".new")
        draft.write_text(
            f"[agent]\nplugins = {json.dumps(list(plugins))}\nbpf-map-dynamic-size-ratio = 0.0\n"
            f"{''.join(lines)}{sections}"
        )
        draft.replace(self.config)

    def write_node(self, name: str, networks: Iterable[Network]) -> None:
        """Write the manifest of a node, with the networks of its pods."""
        file = f"node-{name}.json"
        spec = {"podCIDRs": [str(network) for network in networks]}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}
        draft = self.manifests / f".{file}"
        draft.write_text(json.dumps(node))
        draft.replace(self.manifests / file)

    def launch(self) -> Self:
        """Start the process; it answers later, or ends before."""
        command = [sys.executable, "-m", "axoneme", "agent", "--config", str(self.config)]
        self.process = self.node.popen(command)
        return self

    def add_pod(self, name: str | None = None) -> Pod:
        """A pod that the state directory tells of; it is attached when this returns."""
        pod = self.node.add_pod(name)
        self.publish(pod)
        if self.process is not None:
            self.wait_for(lambda: pod.number in self.endpoints(), f"{pod.name} to be attached")
        return pod

    def publish(self, pod: Pod) -> None:
        """Write a pod into the state directory, as the CNI plugin will."""
        e = pod.endpoint(_FIRST_IDENTITY + pod.number)
        self.source.write(
            EndpointRecord(e.id, e.name, e.namespace, e.ifname, e.mac, e.addresses, e.identity)
        )

    def endpoints(self) -> set[int]:
        """The ids of the endpoints that are attached."""
        return {row["id"] for row in self.ask("status")["endpoints"]}
