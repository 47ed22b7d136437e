# SPDX-License-Identifier: Apache-2.0
"""Sources of desired state: where the agent learns of nodes, endpoints and identities."""

from __future__ import annotations

from axoneme.sources._networks import Networks
from axoneme.sources.claims import NodeIds
from axoneme.sources.embedded import EmbeddedSource
from axoneme.sources.endpoints import EndpointFiles, EndpointRecord, EndpointsRead
from axoneme.sources.identities import IdentitiesRead, IdentityFiles
from axoneme.sources.leadership import FileLeadership, Leadership
from axoneme.sources.nodes import NodeFiles, NodesRead
from axoneme.sources.watcher import Watcher

__all__ = [
    "EmbeddedSource",
    "EndpointFiles",
    "EndpointRecord",
    "EndpointsRead",
    "FileLeadership",
    "IdentitiesRead",
    "IdentityFiles",
    "Leadership",
    "Networks",
    "NodeFiles",
    "NodeIds",
    "NodesRead",
    "Watcher",
]
