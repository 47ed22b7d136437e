# SPDX-License-Identifier: Apache-2.0
"""Numbers that maps have for rules and networks: kept over restarts, reused as late as can be."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from axoneme.errors import DatapathError
from axoneme.model.identity import FIRST_OF_CIDRS, LAST_OF_CIDRS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from axoneme.model.policy import Network

T = TypeVar("T", bound="Hashable")

FIRST_RULE: Final = 16
LAST_RULE: Final = (1 << 20) - 1
#: Every address is in one of these, so that each has a number when policies name networks.
WHOLE: Final = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


class _Numbers(Generic[T]):
    """Numbers for things, in a range: the next free one behind the last that was given."""

    def __init__(self, first: int, last: int, what: str, known: Mapping[T, int]) -> None:
        self._first, self._last, self._what = first, last, what
        self._numbers: dict[T, int] = {}
        self._things: dict[int, T] = {}
        for thing, number in known.items():
            if first <= number <= last and number not in self._things:
                self._numbers[thing] = number
                self._things[number] = thing
        self._next = max(self._things, default=first - 1) + 1

    @property
    def numbers(self) -> Mapping[T, int]:
        """The number of each thing that has one."""
        return self._numbers

    def number(self, thing: T) -> int:
        """Return a thing's number, a new one the first time."""
        known = self._numbers.get(thing)
        return self._take(thing) if known is None else known

    def _take(self, thing: T) -> int:
        if len(self._things) > self._last - self._first:
            raise DatapathError(f"all {len(self._things)} numbers for {self._what} are taken")
        number = self._next
        while number in self._things or number > self._last:
            number = self._first if number >= self._last else number + 1
        self._numbers[thing] = number
        self._things[number] = thing
        self._next = number + 1
        return number

    def thing(self, number: int) -> T | None:
        """Return what has a number, None for a number that is free."""
        return self._things.get(number)

    def retain(self, things: Iterable[T]) -> None:
        """Free the numbers of all other things; they are given again after all that are higher."""
        for thing in self._numbers.keys() - set(things):
            del self._things[self._numbers.pop(thing)]


class RuleNumbers(_Numbers[str]):
    """The numbers of rules, by names such as default/web ingress[0].

    `known` are those that were given before the agent started: conntrack and flows have them.
    """

    def __init__(self, known: Mapping[str, int] | None = None) -> None:
        super().__init__(FIRST_RULE, LAST_RULE, "rules", known or {})

    def name(self, number: int) -> str | None:
        """Return the name of a rule."""
        return self.thing(number)


class CidrNumbers(_Numbers["Network"]):
    """The identities of networks that policies name; the two whole families always have one.

    `known` are those that a map has already, and `found` which networks they were.
    """

    def __init__(self, known: Mapping[Network, int] | None = None) -> None:
        self.found = frozenset(known or ())
        super().__init__(FIRST_OF_CIDRS, LAST_OF_CIDRS, "networks", known or {})
        self.retain(self.numbers)

    def retain(self, things: Iterable[Network]) -> None:
        """Free the numbers of all other networks."""
        super().retain({*things, *WHOLE})
        for network in WHOLE:
            self.number(network)
