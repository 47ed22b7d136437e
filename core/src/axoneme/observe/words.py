# SPDX-License-Identifier: Apache-2.0
"""The words for what rows have numbers for: kinds, verdicts, protocols, flags."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

from axoneme.errors import AxonemeError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

#: Each kind of event by its bit, in the order of what is most telling.
KIND_NAMES: Final = {
    1: "drop",
    2: "egress-verdict",
    4: "ingress-verdict",
    8: "opened",
    16: "closed",
    32: "trace",
}
#: The types of events that one may ask for, and the bits of their kinds.
EVENT_KINDS: Final = {"drop": 1, "policy-verdict": 6, "opened": 8, "closed": 16, "trace": 32}
#: What becomes of a packet, in the words of a flow, and the trunks' verdicts for it.
VERDICTS: Final = {"forwarded": (1, 3), "dropped": (2,), "redirected": (4,)}
VERDICT_NAMES: Final = {n: name.upper() for name, numbers in VERDICTS.items() for n in numbers}
#: What a protocol may be called, and its numbers.
PROTOCOLS: Final = {
    "tcp": (6,),
    "udp": (17,),
    "icmp": (1, 58),
    "icmpv4": (1,),
    "icmpv6": (58,),
    "sctp": (132,),
}
TCP_FLAGS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
#: What connection tracking knows of a packet's flow.
CONNTRACK: Final = ("", "new", "established", "reply", "related")
DIRECTIONS: Final = ("egress", "ingress")


def one_of(known: Mapping[str, T], word: str, what: str) -> T:
    """What a word means.

    Raises:
        AxonemeError: it is none of those, with the nearest.
    """
    found = known.get(word.lower())
    if found is None:
        near = nearest(word.lower(), known)
        listed = ", ".join(known)
        raise AxonemeError(
            f"{word!r} is no {what}; "
            + (f"did you mean {near}?" if near else f"there are {listed}")
        )
    return found


@cache
def flag_names(flags: int) -> tuple[str, ...]:
    """The names of TCP flags, by the bits of the header's byte."""
    return tuple(name for bit, name in enumerate(TCP_FLAGS) if flags >> bit & 1)
