# SPDX-License-Identifier: Apache-2.0
"""All requests, over one socket."""

from __future__ import annotations

from axoneme.net._addresses import AddressRequests
from axoneme.net._bridges import BridgeRequests
from axoneme.net._filters import FilterRequests
from axoneme.net._neighbours import NeighbourRequests
from axoneme.net._routes import RouteRequests
from axoneme.net._tunnels import TunnelRequests


class Netlink(
    BridgeRequests,
    TunnelRequests,
    AddressRequests,
    RouteRequests,
    NeighbourRequests,
    FilterRequests,
):
    """The devices, addresses, routes, neighbours and filters of one network namespace.

    It is the calling thread's namespace unless `network`, a file descriptor, stands for
    another; the socket stays in it, whichever thread uses it later.
    """
