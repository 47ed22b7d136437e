# SPDX-License-Identifier: Apache-2.0
"""A node's books: which address of its pods is whose, and which rest after their release."""

from __future__ import annotations

from axoneme.ipam.allocation import Allocation
from axoneme.ipam.ledger import Ledger
from axoneme.ipam.store import AllocationStore, StoredAllocations

__all__ = ["Allocation", "AllocationStore", "Ledger", "StoredAllocations"]
