# SPDX-License-Identifier: Apache-2.0
"""What a node needs of a pool, and which of its networks it can give back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.model import PoolDemand

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from axoneme.model import AddressUsage, Network, NetworkUsage

FAMILIES = (4, 6)


def families(networks: Iterable[Network]) -> tuple[int, ...]:
    """The IP versions that networks have, in order."""
    return tuple(sorted({network.version for network in networks}))


def busy(usage: AddressUsage, pool: str, version: int) -> int:
    """How many addresses of a pool are in use or resting, or waited for."""
    waiting = sum(demand.of(version) for demand in usage.waiting if demand.pool == pool)
    return sum(row.used + row.resting for row in usage.of(pool, version)) + waiting


def need(
    usage: AddressUsage, pool: str, versions: Collection[int], ahead: Callable[[bool], int]
) -> PoolDemand:
    """What a node must tell that it needs of a pool; `ahead` is asked whether the pool is in use.

    Nothing is needed ahead of a family that the pool does not have (any more). The number is
    rounded up to a multiple of what is needed ahead, as neededIPCeil of Cilium's pkg/ipam does:
    the node's resource changes with every eighth pod, and not with each.
    """
    counts = {version: busy(usage, pool, version) for version in FAMILIES}
    step = ahead(any(counts.values()))
    needed = [
        (-(-count // step) + 1) * step if step and version in versions else count
        for version, count in counts.items()
    ]
    return PoolDemand(pool, *needed)


def kept(
    networks: tuple[Network, ...],
    usage: AddressUsage,
    demand: PoolDemand,
    pool_networks: Collection[Network],
) -> tuple[Network, ...]:
    """The networks of a pool that a node does not give back.

    It gives back what nobody has an address of, if the rest covers the need with a part to spare:
    a node that needs a little more or less does not give and take all the time. What is of the
    pool no more goes first, then what came last.
    """
    given_back: set[Network] = set()
    for version in FAMILIES:
        rows = {row.network: row for row in usage.of(demand.pool, version)}
        own = [rows[network] for network in networks if network in rows]
        given_back.update(_spare(own, demand.of(version), pool_networks))
    return tuple(network for network in networks if network not in given_back)


def _spare(
    own: list[NetworkUsage], needed: int, pool_networks: Collection[Network]
) -> Iterator[Network]:
    strays = [r for r in own if not any(r.network.overlaps(n) for n in pool_networks)]
    left = sum(row.size for row in own)
    for row in (*strays, *(row for row in reversed(own) if row not in strays)):
        slack = row.size if needed else 0
        if not row.used and not row.resting and left - row.size >= needed + slack:
            left -= row.size
            yield row.network


def still_used(networks: Iterable[Network], usage: AddressUsage) -> tuple[Network, ...]:
    """Those of networks that someone has an address of: for what no pool has any more."""
    rested = {row.network for row in usage.networks if row.used or row.resting}
    return tuple(n for n in networks if n in rested or any(a in n for a in usage.used))
