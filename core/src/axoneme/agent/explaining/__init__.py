# SPDX-License-Identifier: Apache-2.0
"""Why a packet gets through or not: probes through the loaded programs of each node on its way."""

from __future__ import annotations

from axoneme.agent.explaining.explainer import Explainer
from axoneme.agent.explaining.peers import Peers, SocketPeers

__all__ = ["Explainer", "Peers", "SocketPeers"]
