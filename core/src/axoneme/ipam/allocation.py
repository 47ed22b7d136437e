# SPDX-License-Identifier: Apache-2.0
"""One address of a node and whose it is, also as the words that a symbolic link leads to.

    1 <pool> <owner> <pod> <since> <released>

The first word is the form's number. A space and whatever else could break the reading stands as
%XX, times are seconds of Unix.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from attrs import frozen

if TYPE_CHECKING:
    from axoneme.model import Address

_FORM: Final = "1"
_WORDS: Final = 6
#: Half of a surrogate pair is no text, and must not keep an address from being given back.
_ERRORS: Final = "surrogatepass"


@frozen
class Allocation:
    """An address that somebody has, or had until it was `released`.

    It was given from `pool` to `owner`, a container and its device as <container>/<ifname>, which
    is of `pod`, its namespace/name. `since` and `released` are seconds of Unix; `released` is 0.0
    while the address is in use.
    """

    address: Address
    pool: str
    owner: str
    pod: str
    since: float
    released: float = 0.0

    @property
    def in_use(self) -> bool:
        """Whether the owner still has it."""
        return not self.released


def encode(allocation: Allocation) -> str:
    """Return an allocation's words."""
    names = (allocation.pool, allocation.owner, allocation.pod)
    quoted = (quote(name, safe="/:@", errors=_ERRORS) for name in names)
    times = (repr(float(when)) for when in (allocation.since, allocation.released))
    return " ".join((_FORM, *quoted, *times))


def decode(address: Address, text: str) -> Allocation:
    """Return what the words of an address say, or raise ValueError."""
    words = text.split(" ")
    if len(words) != _WORDS or words[0] != _FORM:
        raise ValueError(f"{text!r} is not {_FORM}, pool, owner, pod and two times")
    pool, owner, pod = (unquote(word, errors=_ERRORS) for word in words[1:4])
    if not owner:
        raise ValueError(f"{text!r} has no owner")
    return Allocation(address, pool, owner, pod, _time(words[4]), _time(words[5]))


def _time(word: str) -> float:
    when = float(word)
    if not math.isfinite(when) or when < 0:
        raise ValueError(f"{word} is no time")
    return when
