# SPDX-License-Identifier: Apache-2.0
"""A node of the cluster, as every other node has to know it."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from axoneme.model.address import Address

Network: TypeAlias = IPv4Network | IPv6Network


@frozen
class NodeRecord:
    """A node: its own addresses, the networks of its pods, and its number in the cluster.

    An id of 0 means that none has been claimed yet. `agent` is where agents of other nodes ask
    this one's, "" where they cannot.
    """

    name: str
    addresses: tuple[Address, ...]
    pod_cidrs: tuple[Network, ...] = ()
    id: int = 0
    agent: str = ""

    def __str__(self) -> str:
        """Return the node's name."""
        return self.name

    def address(self, version: int) -> Address | None:
        """The first address of an IP version, if the node has one."""
        return next((a for a in self.addresses if a.version == version), None)
