# SPDX-License-Identifier: Apache-2.0
"""The embedded source: a directory of files, shared by the agents of a machine. No server.

state/nodes/<name>.json                   nodes, and which networks their pods have
state/ipam/<node>/<address>               what a node has given to its pods, see `axoneme.ipam`
state/endpoints/<namespace>.<name>.json   endpoints of all nodes
state/identities/<number>.json            identities, found by their labels in by-labels/;
                                          freed/ has numbers that are given to nobody for a while
state/node-ids/<number>                   claims of numbers of nodes
state/.operator.lock                      locked by the operator that leads
state/last-good/<node>/                   manifests as they were when the node could read them last
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.sources._files import remove_forgotten_drafts
from axoneme.sources.claims import NodeIds
from axoneme.sources.endpoints import EndpointFiles
from axoneme.sources.identities import IdentityFiles
from axoneme.sources.leadership import FileLeadership
from axoneme.sources.nodes import NodeFiles

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.sources.endpoints import EndpointRecord, EndpointsRead


class EmbeddedSource:
    """What agents have in common, in a state directory."""

    def __init__(self, state: Path) -> None:
        self.state = state
        #: The directory in which endpoints are.
        self.endpoints = state / "endpoints"
        self.node_ids = NodeIds(state / "node-ids")
        self.nodes = NodeFiles(state / "nodes")
        self.identities = IdentityFiles(state / "identities")
        self._endpoint_files = EndpointFiles(self.endpoints)

    def allocations(self, node: str) -> Path:
        """Where a node keeps which address it has given to whom."""
        return self.state / "ipam" / node

    def ipam_settings(self, node: str) -> Path:
        """Where a node keeps under which settings it gave addresses last."""
        return self.state / "ipam" / f"{node}.settings"

    def leadership(self, identity: str = "") -> FileLeadership:
        """Who of the operators leads; `identity` is of whoever means to, for the others."""
        return FileLeadership(self.state / ".operator.lock", identity)

    def last_good(self, node: str) -> Path:
        """Where a node keeps manifests as they were when it could read them last."""
        return self.state / "last-good" / node

    def create(self) -> None:
        """Make the directories that are not there, and remove what killed writers left."""
        for directory in (
            self.endpoints,
            self.nodes.directory,
            self.identities.by_labels,
            self.identities.freed,
            self.state / "node-ids",
        ):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove_forgotten_drafts(directory)
        remove_forgotten_drafts(self.identities.directory)

    def read(self) -> EndpointsRead:
        """Every endpoint; a file that is wrong is named and left out, and so is a second id."""
        return self._endpoint_files.read()

    def write(self, record: EndpointRecord) -> None:
        """Add or replace an endpoint, in one step."""
        self._endpoint_files.write(record)

    def delete(self, namespace: str, name: str) -> None:
        """Remove an endpoint; nothing happens if it is not there."""
        self._endpoint_files.delete(namespace, name)
