# SPDX-License-Identifier: Apache-2.0
"""Wire types of CiliumPodIPPool: of cilium.io/v2, and of v2alpha1, whose networks are texts."""

from __future__ import annotations

from typing import Any

import msgspec

from axoneme.wire import LabelSelector, Metadata, Wire


class PoolCidr(Wire):
    """A network of a pool, where it is a mapping."""

    cidr: str


class ReservedRange(Wire):
    """Addresses that no pod gets, both ends included."""

    start: str
    end: str


class PoolNetwork(Wire):
    """A network of a pool, and what is reserved of it."""

    cidr: str
    reserved_ranges: tuple[ReservedRange, ...] | None = None


class FamilySpec(Wire):
    """One family of a pool."""

    mask_size: int
    cidrs: tuple[str | PoolCidr, ...] | None = None
    pool: tuple[PoolNetwork, ...] | None = None


class PoolSpec(Wire):
    """What a pool says."""

    ipv4: FamilySpec | None = None
    ipv6: FamilySpec | None = None
    allow_first: bool = msgspec.field(default=False, name="allowFirstIP")
    allow_last: bool = msgspec.field(default=False, name="allowLastIP")
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None


class CiliumPodIPPool(Wire):
    """The whole document."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: PoolSpec
    status: Any = None
