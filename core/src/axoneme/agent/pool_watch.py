# SPDX-License-Identifier: Apache-2.0
"""Pools that run dry, told of before they have: once in the log, and in the status until better."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.model import AddressPool, AddressUsage, NodeIpam

_log = logging.getLogger(__name__)
#: The share of a pool's addresses from which on it is told of, and that at which it is well again.
_CROWDED: Final = 0.9
_WELL: Final = 0.8
#: Seconds that whoever gives the node more addresses may take for it.
_GROWING: Final = 5.0
_VERSIONS: Final = (4, 6)


@frozen
class CrowdedPool:
    """One family of a pool of which few addresses are free; resting ones are not."""

    pool: str
    version: int
    used: int
    resting: int
    size: int

    @property
    def share(self) -> float:
        """How much of it cannot be given now, 1 being all."""
        return (self.used + self.resting) / self.size if self.size else 1.0

    def __str__(self) -> str:
        """Return it as a sentence."""
        resting = f", {self.resting} rest" if self.resting else ""
        return f"{self.used} of {self.size} IPv{self.version} addresses are in use{resting}"


@define
class PoolWatch:
    """Looks at the pools of a node, again and again."""

    clock: Callable[[], float] = time.monotonic
    #: Since when each is as crowded as to be told of.
    _since: dict[tuple[str, int], float] = field(factory=dict, init=False)
    _told: set[tuple[str, int]] = field(factory=set, init=False)

    def look(
        self, pools: tuple[AddressPool, ...], usage: AddressUsage, ipam: NodeIpam
    ) -> list[CrowdedPool]:
        """The pools that run dry; each is logged when it comes and when it goes.

        One that grows does not, as long as the node gets what it says that it needs.
        """
        crowded = {
            key: one
            for key, one in _families(pools, usage, ipam)
            if self._is_crowded(key, one, ipam)
        }
        self._since = {key: self._since.get(key, self.clock()) for key in crowded}
        grow = {pool.name for pool in pools if pool.grows}
        found = {
            key: one
            for key, one in crowded.items()
            if key[0] not in grow or self.clock() - self._since[key] >= _GROWING
        }
        self._tell(found)
        return list(found.values())

    def _is_crowded(self, key: tuple[str, int], one: CrowdedPool, ipam: NodeIpam) -> bool:
        bound = _WELL if key in self._told else _CROWDED
        return one.share >= bound and not _is_enough(key, one, ipam)

    def _tell(self, found: dict[tuple[str, int], CrowdedPool]) -> None:
        for key in found.keys() - self._told:
            _log.warning("pool %s runs dry: %s", key[0], found[key])
        for pool, version in self._told - found.keys():
            _log.info("pool %s has free IPv%d addresses again", pool, version)
        self._told = set(found)


def _is_enough(key: tuple[str, int], one: CrowdedPool, ipam: NodeIpam) -> bool:
    """Whether the node has all that it asks for."""
    asked = ipam.demand(key[0]).of(key[1])
    return 0 < asked <= one.size


def _families(
    pools: tuple[AddressPool, ...], usage: AddressUsage, ipam: NodeIpam
) -> Iterator[tuple[tuple[str, int], CrowdedPool]]:
    """The families that the node has or asks for; of others it needs none."""
    for pool in pools:
        for version in _VERSIONS:
            networks = usage.of(pool.name, version)
            if not (networks or ipam.demand(pool.name).of(version)):
                continue
            used = sum(one.used for one in networks)
            resting = sum(one.resting for one in networks)
            size = sum(one.size for one in networks)
            yield (pool.name, version), CrowdedPool(pool.name, version, used, resting, size)
