# SPDX-License-Identifier: Apache-2.0
"""What another mode left in a node's resource: it goes once nobody has an address of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from axoneme.model import PoolPart

from .needs import still_used

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.model import AddressUsage, NodeIpam


def without_leftovers(ipam: NodeIpam, usage: AddressUsage) -> NodeIpam:
    """A node's resource without pools' parts and written-back use, which other modes have."""
    return evolve(ipam, allocated=used_parts(ipam.allocated, usage), used={})


def used_parts(parts: Iterable[PoolPart], usage: AddressUsage) -> tuple[PoolPart, ...]:
    """Parts of pools without what nobody has an address of."""
    left = (PoolPart(part.pool, still_used(part.networks, usage)) for part in parts)
    return tuple(part for part in left if part.networks)
