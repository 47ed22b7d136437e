# SPDX-License-Identifier: Apache-2.0
"""Devices, addresses, routes and filters of a network namespace, by netlink.

Nothing else in core imports pyroute2; the namespaces themselves are in `namespaces`.
"""

from __future__ import annotations

from axoneme.net._addresses import Neighbour, Route
from axoneme.net._errors import NetworkError
from axoneme.net._filters import Filter
from axoneme.net._links import Link
from axoneme.net._neighbours import KeptNeighbour
from axoneme.net._netlink import Netlink
from axoneme.net._routes import KeptRoute, Way
from axoneme.net._sysctl import read_sysctl, write_sysctl
from axoneme.net._tunnels import Tunnel

__all__ = [
    "Filter",
    "KeptNeighbour",
    "KeptRoute",
    "Link",
    "Neighbour",
    "Netlink",
    "NetworkError",
    "Route",
    "Tunnel",
    "Way",
    "read_sysctl",
    "write_sysctl",
]
