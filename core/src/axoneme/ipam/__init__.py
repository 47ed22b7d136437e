# SPDX-License-Identifier: Apache-2.0
"""Addresses of pods: which networks a node has, and who has which address of them."""

from __future__ import annotations

from axoneme.ipam.addresses import NodeAddresses
from axoneme.ipam.clusterpool import ClusterPool
from axoneme.ipam.pool import AddressPool

__all__ = ["AddressPool", "ClusterPool", "NodeAddresses"]
