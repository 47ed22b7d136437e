# SPDX-License-Identifier: Apache-2.0
"""Bridges: devices that join others as a switch does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.net._links import LinkRequests, _message
from axoneme.net._socket import ACK, CREATE, EXCLUSIVE

if TYPE_CHECKING:
    from axoneme.net._links import Link

_NEWLINK, _SETLINK = 16, 19


class BridgeRequests(LinkRequests):
    """What can be asked of bridges."""

    def add_bridge(self, name: str) -> Link:
        """Make a bridge and return it; it is down, and nothing is at it."""
        message = _message(IFLA_IFNAME=name)
        info = {"attrs": [("IFLA_INFO_KIND", "bridge")]}
        message["attrs"].append(("IFLA_LINKINFO", info))
        self._request(message, _NEWLINK, ACK | CREATE | EXCLUSIVE, "make it as a bridge", name)
        return self.link(name)

    def join_bridge(self, link: Link, bridge: Link) -> None:
        """Make a device a port of a bridge."""
        message = _message(index=link.index, IFLA_MASTER=bridge.index)
        self._request(message, _SETLINK, ACK, f"make it a port of {bridge}", link.name)
