# SPDX-License-Identifier: Apache-2.0
"""A node of the cluster, as every other node has to know it."""

from __future__ import annotations

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import TYPE_CHECKING, TypeAlias

from attrs import field, frozen

from axoneme.model.ipam import NodeIpam

if TYPE_CHECKING:
    from axoneme.model.address import Address

Network: TypeAlias = IPv4Network | IPv6Network


@frozen
class NodeRecord:
    """A node: its own addresses, those of its pods, and its number in the cluster.

    An id of 0 means that none has been claimed yet. `agent` is where agents of other nodes ask
    this one's, "" where they cannot. Of two nodes that say they have one network, the one that
    was `created` first has it: the time in the form of RFC 3339, which sorts.
    """

    name: str
    addresses: tuple[Address, ...]
    ipam: NodeIpam = field(factory=NodeIpam)
    id: int = 0
    agent: str = ""
    created: str = ""

    def __str__(self) -> str:
        """Return the node's name."""
        return self.name

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """All networks of its pods: who sends to them must send to this node."""
        parts = (network for part in self.ipam.allocated for network in part.networks)
        found = dict.fromkeys((*self.ipam.pod_cidrs, *parts))
        fours = (IPv4Network(a) for a in self.ipam.pool if a.version == 4)
        sixes = (IPv6Network(a) for a in self.ipam.pool if a.version == 6)
        found |= dict.fromkeys(collapse_addresses(fours)) | dict.fromkeys(collapse_addresses(sixes))
        return tuple(found)

    def address(self, version: int) -> Address | None:
        """The first address of an IP version, if the node has one."""
        return next((a for a in self.addresses if a.version == version), None)
