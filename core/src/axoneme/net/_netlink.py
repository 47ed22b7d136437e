# SPDX-License-Identifier: Apache-2.0
"""All requests, over one socket."""

from __future__ import annotations

from axoneme.net._addresses import AddressRequests
from axoneme.net._filters import FilterRequests
from axoneme.net._links import LinkRequests


class Netlink(LinkRequests, AddressRequests, FilterRequests):
    """The devices, addresses, routes, neighbours and filters of one network namespace.

    It is the calling thread's namespace unless `network`, a file descriptor, stands for
    another; the socket stays in it, whichever thread uses it later.
    """
