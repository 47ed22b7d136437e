# SPDX-License-Identifier: Apache-2.0
"""The node's share in the identities of the cluster: its own stay in use, unused ones are removed.

Every agent does both, and none of them needs another: an identity is removed only when nobody has
asked for it in a while and no endpoint has it, and an agent asks for those of its own pods.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from axoneme.errors import AxonemeError

from .cni_values import POD_DEVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.agent.cluster import Cluster

_log = logging.getLogger(__name__)
#: Seconds between two rounds, a small part of those for which an identity must be unused.
_PERIOD = 300.0


@define
class IdentityKeeper:
    """Keeps the identities of one node; a reconciler of the agent."""

    cluster: Cluster
    _now: Callable[[], float] = time.monotonic
    _due: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._due = self._now() + _PERIOD

    def keep(self) -> list[str]:
        """Do a round if it is time for one; what was not as it should be."""
        if self._now() < self._due:
            return []
        self._due = self._now() + _PERIOD
        found = self.renew()
        removed = self.collect()
        if removed:
            _log.info("removed %d identities that nobody uses", len(removed))
        return found

    def renew(self) -> list[str]:
        """Ask for the identities of this node's pods; a sentence for each that has another now.

        That is so when its files are gone, as after a clock that jumped while the pod came.
        """
        found, source = [], self.cluster.source
        for record in self.cluster.own_endpoints():
            if not record.labels or not POD_DEVICE.fullmatch(record.ifname):
                continue  # whoever wrote it knows what its number means
            try:
                number = source.identities.of(record.labels)
                if number != record.identity:
                    source.write(evolve(record, identity=number))
                    found.append(f"identity of {record}: {record.identity} was gone, is {number}")
            except (AxonemeError, OSError) as error:
                found.append(f"identity of {record}: {error}")
        if found:
            self.cluster.sync_endpoints()
        return found

    def collect(self) -> tuple[int, ...]:
        """Remove identities that nobody uses; their numbers."""
        read = self.cluster.source.read()
        if read.problems:
            return ()  # who cannot be read may use any of them
        return self.cluster.source.identities.remove_unused({r.identity for r in read.records})
