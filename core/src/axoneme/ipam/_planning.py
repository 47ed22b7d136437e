# SPDX-License-Identifier: Apache-2.0
"""Which addresses a pod is to get: a plan changes nothing, so that it may end in an error."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.errors import AddressRefused
from axoneme.ipam.allocation import Allocation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from axoneme.ipam._books import Books
    from axoneme.ipam._family import PoolFamily
    from axoneme.model import Address, AddressRequest, PoolChoice


@frozen
class Wish:
    """A pod that is to get addresses under the name of an owner, and who of its owners lives."""

    owner: str
    request: AddressRequest
    choice: PoolChoice
    alive: Callable[[str], bool]


@frozen
class Time:
    """Now, and since when an address must be released to have rested, in seconds of Unix."""

    now: float
    rested_since: float


def plan(books: Books, wish: Wish, when: Time) -> list[Allocation]:
    """Return what is to be written for an owner, beside what it has already.

    Raises:
        PoolExhausted: there is none left of a family.
        AddressRefused: it cannot have an address that it asks for, or the choice says so.
    """
    addresses = [one.address for one in books.of_owner(wish.owner)]
    known: set[int] = {a.version for a in (*addresses, *books.held_by(wish.owner))}
    refusal = wish.choice.refusal or books.pools.refusal(wish.choice, wish.request, known)
    if refusal and known:
        return []
    if refusal:
        raise AddressRefused(refusal)
    dead = _dead(books, wish)
    given = _asked(books, wish, known, dead, when)
    for version, family in books.pools.chosen(wish.choice).items():
        if version not in known and version not in given:
            given[version] = _inherited(books, family, dead) or family.take(when.rested_since)
    if not known and not given:
        raise books.pools.empty(wish.choice)
    return [
        Allocation(address, place.pool.name, wish.owner, str(wish.request), when.now)
        for address in given.values()
        if (place := books.place(address)) is not None
    ]


def _dead(books: Books, wish: Wish) -> list[Allocation]:
    """What the pod had, for the same device of a container that is gone; the latest first."""
    found = (
        one
        for one in books.of_pod(str(wish.request))
        if one.owner != wish.owner
        and _device(one.owner) == _device(wish.owner)
        and not wish.alive(one.owner)
    )
    return sorted(found, key=lambda one: -one.since)


def _device(owner: str) -> str:
    return owner.partition("/")[2]


def _inherited(books: Books, family: PoolFamily, dead: Collection[Allocation]) -> Address | None:
    for one in dead:
        place = books.place(one.address)
        if place is not None and place.family is family and place.gives(one.address):
            return one.address
    return None


def _asked(
    books: Books, wish: Wish, known: set[int], dead: Collection[Allocation], when: Time
) -> dict[int, Address]:
    """The addresses that the pod asks for, by version."""
    asked: dict[int, Address] = {}
    for address in wish.request.addresses:
        other = asked.setdefault(address.version, address)
        if other != address:
            raise AddressRefused(
                f"{other} is asked for too: a pod has one IPv{address.version} address",
                address=str(address),
            )
    wanted = {version: address for version, address in asked.items() if version not in known}
    for address in wanted.values():
        ours = any(one.address == address for one in dead)
        objection = _objection(books, address, "" if ours else str(wish.request), when)
        if objection:
            raise AddressRefused(objection, address=str(address))
    return wanted


def _objection(books: Books, address: Address, pod: str, when: Time) -> str:
    """Why a pod cannot have an address, or nothing; `pod` is "" if it is the pod's already.

    For the pod that had it last an address need not rest: others take the one for the other.
    """
    place = books.place(address)
    if place is None:
        return f"is of none of this node's pools: {books.pools}"
    refusal = place.refusal(address)
    if refusal:
        return refusal
    holder = books.holder(address)
    if holder and pod:
        return f"{holder} has it"
    before = books.allocations.get(address)
    if before is None or before.released <= when.rested_since or before.pod == pod:
        return ""
    seconds = before.released - when.rested_since
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(math.ceil(when.now + seconds)))
    return (
        f"{before.pod or before.owner} had it, and it rests until {until}, for "
        f"{math.ceil(seconds)} more seconds"
    )
