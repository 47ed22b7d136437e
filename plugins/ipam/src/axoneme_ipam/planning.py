# SPDX-License-Identifier: Apache-2.0
"""The operator's plan: which parts of pools nodes get, from what their resources say alone.

Who has nothing comes first, so that a pool that runs dry has something for as many nodes as can
be; then nodes in the order in which they were made. The same resources give the same plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme.model import Assignment, AssignmentPlan, PoolState, StrandedNetwork

from .claims import claims_of, contested
from .naming import Naming
from .ranges import range_of
from .shares import Shares

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from axoneme.model import Network, NodeRecord, PodIPPool

    from .parts import Share
    from .shares import Key

__all__ = ["Holding", "Naming", "plan"]

#: One write of a node's resource has a bound, whatever it asks for: the next plan goes on.
_MOST_AT_ONCE = 256
_FEW = 2


@frozen
class Holding:
    """A node: its networks by pool, and how many addresses of a pool and family it needs."""

    record: NodeRecord
    parts: Mapping[str, tuple[Network, ...]]
    needs: Mapping[Key, int]

    @property
    def node(self) -> str:
        """The node's name."""
        return self.record.name


@define(eq=False)
class _Want:
    """A need that is not covered: how many addresses are missing, and whether it has any."""

    node: str
    share: Share
    missing: int
    has_some: bool
    given: list[Network] = field(factory=list, init=False)
    refused: bool = field(default=False, init=False)

    def take(self) -> None:
        """Take one part, if there is one."""
        part = self.share.give()
        if part is None:
            self.refused = True
            return
        self.given.append(part)
        self.missing -= self.share.addresses_of(part)


def plan(
    pools: Iterable[PodIPPool],
    holdings: Iterable[Holding],
    naming: Naming,
    taken: Iterable[Network] = (),
) -> AssignmentPlan:
    """Plan parts for nodes; what is wrong with pools and nodes is said, and the rest goes on.

    `taken` is some other node's, of which nothing else is known.
    """
    nodes = sorted(holdings, key=lambda one: (one.record.created, one.node))
    claims = claims_of(one.record for one in nodes)
    shares = Shares.of(pools, naming)
    shares.take([*claims, *((n.version, *range_of(n), "", n) for n in taken)])
    errors: dict[str, list[str]] = {}
    wants = list(_wants(nodes, shares, naming, errors))
    _serve(wants)
    if shares.barred:
        shares.take_of_barred(claims)
    states = {
        key: PoolState(share.pool, share.version, share.parts, share.taken)
        for key, share in shares.by_key.items()
    }
    refused = _refused(wants, states, naming, errors)
    problems = (
        *shares.problems,
        *contested(claims),
        *_dry(states, shares, refused, naming),
    )
    texts = {node: "; ".join(errors[node]) for node in sorted(errors)}
    return AssignmentPlan(
        tuple(_assignments(wants, naming)),
        texts,
        problems,
        tuple(states.values()),
        tuple(_strays(nodes, shares, naming)),
    )


def _wants(
    nodes: Iterable[Holding], shares: Shares, naming: Naming, errors: dict[str, list[str]]
) -> Iterator[_Want]:
    unknown: dict[Key, str] = {}
    for node in nodes:
        for (pool, version), needed in node.needs.items():
            share = shares.by_key.get((pool, version))
            if share is None:
                text = unknown.get((pool, version))
                if text is None:
                    text = naming.unknown(pool, version, shares.names)
                    unknown[pool, version] = text
                errors.setdefault(node.node, []).append(text)
                continue
            own = (network for network in node.parts.get(pool, ()) if network.version == version)
            has = sum(map(share.addresses_of, own))
            if has >= needed:
                continue
            if pool in shares.barred:
                errors.setdefault(node.node, []).append(shares.barred[pool])
            else:
                yield _Want(node.node, share, needed - has, has > 0)


def _serve(wants: list[_Want]) -> None:
    for want in wants:
        if not want.has_some:
            want.take()
    for want in wants:
        while want.missing > 0 and not want.refused and len(want.given) < _MOST_AT_ONCE:
            want.take()


def _refused(
    wants: Iterable[_Want],
    states: Mapping[Key, PoolState],
    naming: Naming,
    errors: dict[str, list[str]],
) -> dict[Key, list[str]]:
    """Who gets less of a pool than is needed; it is said of each node as well."""
    refused: dict[Key, list[str]] = {}
    for want in wants:
        if want.refused:
            key = want.share.pool, want.share.version
            errors.setdefault(want.node, []).append(naming.exhausted(states[key]))
            refused.setdefault(key, []).append(want.node)
    return refused


def _assignments(wants: Iterable[_Want], naming: Naming) -> Iterator[Assignment]:
    """What nodes get, both families of a pool in one."""
    given: dict[tuple[str, str], list[Network]] = {}
    for want in wants:
        if want.given:
            given.setdefault((want.node, want.share.pool), []).extend(want.given)
    for (node, pool), networks in sorted(given.items(), key=lambda item: item[0]):
        yield Assignment(node, tuple(networks), naming.assigned(pool))


def _strays(nodes: Iterable[Holding], shares: Shares, naming: Naming) -> Iterator[StrandedNetwork]:
    """The networks that nodes have of pools that have been made smaller, or removed."""
    for node in nodes:
        for pool, networks in node.parts.items():
            for network in networks:
                if not shares.has(pool, network):
                    why = naming.stray(pool, network.version, exists=pool in shares.names)
                    yield StrandedNetwork(node.node, network, why, pool)


def _dry(
    states: Mapping[Key, PoolState],
    shares: Shares,
    refused: Mapping[Key, list[str]],
    naming: Naming,
) -> Iterator[str]:
    for key, state in states.items():
        if key in refused:
            yield naming.short(state, refused[key])
        elif key[0] not in shares.barred and (state.free < _FEW or state.free * 10 < state.parts):
            yield naming.nearly_dry(state)
