# SPDX-License-Identifier: Apache-2.0
"""Connections as conntrack's map has them. Their times are those of `clock`.

The map is read here and never written; see <axoneme/conntrack.h> for who may change an entry, and
how.
"""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, Any

from attrs import frozen

from axoneme.model import pack_address, unpack_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.model import Address

    from .tables import Table


class FlowState(IntFlag):
    """enum conntrack_state, but for the direction."""

    REPLIED = 1
    FIN_SENT = 2
    FIN_REPLIED = 4
    RESET = 8
    CONFIRMED = 16


_FLIPPED = 128
_ADDRESS = 16


@frozen
class Grant:
    """Under which generation which rule let a flow pass in one direction; generation 0: none."""

    generation: int
    rule: int

    @classmethod
    def of(cls, word: int) -> Grant:
        """Take a word of the map apart."""
        return cls(word >> 40, word >> 20 & 0xFFFFF)


@frozen
class Flow:
    """One connection, in the direction of its first packet; of a ping, sport is its identifier."""

    source: Address
    destination: Address
    sport: int
    dport: int
    proto: int
    state: FlowState
    #: In the units of `clock`; 0 while it is taken out.
    expiry: int
    created: int
    src_identity: int
    egress: Grant
    ingress: Grant


def read_flows(conntrack: Table, addresses: Iterable[Address] = ()) -> Iterator[Flow]:
    """The flows of the map, or those of some addresses, as they are read: never all at once.

    While others write, each that stays is there once.
    """
    wanted, layout = {pack_address(address) for address in addresses}, conntrack.layout
    ends = [one.offset for one in layout.key.fields if one.name in {"saddr", "daddr"}]
    for rows in conntrack.scan():
        for keys, values in rows.batches():
            for row, at in enumerate(range(0, len(keys), layout.key.size)):
                # Most rows are nobody's that was asked for: those are not decoded.
                if wanted and wanted.isdisjoint(keys[at + e : at + e + _ADDRESS] for e in ends):
                    continue
                value = layout.decode_value(values, row * layout.value_size)
                yield _flow(layout.key.decode(keys, at), value)


def _flow(key: dict[str, Any], value: dict[str, Any]) -> Flow:
    word = value["word"]
    ends = [
        (unpack_address(key["saddr"]), key["sport"]),
        (unpack_address(key["daddr"]), key["dport"]),
    ]
    if word >> 24 & _FLIPPED:
        ends.reverse()
    (source, sport), (destination, dport) = ends
    return Flow(
        source,
        destination,
        sport,
        dport,
        key["proto"],
        FlowState(word >> 24 & ~_FLIPPED & 0xFF),
        word >> 32,
        value["created"],
        value["src_identity"],
        Grant.of(value["granted[0]"]),
        Grant.of(value["granted[1]"]),
    )
