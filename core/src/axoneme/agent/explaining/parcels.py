# SPDX-License-Identifier: Apache-2.0
"""What one node is asked about a packet, and what it answers: what agents tell each other."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from attrs import asdict, field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.model import Address


class Entrance(StrEnum):
    """How a packet comes into a node."""

    POD = "pod"
    HOST = "host"
    UPLINK = "uplink"
    OVERLAY = "overlay"


class Outcome(StrEnum):
    """What becomes of a packet at a node."""

    DELIVERED = "delivered"
    HOST = "host"
    OUTSIDE = "outside"
    ONWARD = "onward"
    DROPPED = "dropped"
    LOST = "lost"


@frozen
class Parcel:
    """A packet of IP that comes into a node.

    `pod` is who sends it, where a pod of the node does. Out of the tunnel it brings the address of
    the node that encapsulated it, `sender`, and the identity that this one gave it.
    """

    entrance: Entrance
    packet: bytes
    pod: str = ""
    sender: Address | None = None
    identity: int = 0

    def dump(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        sender = str(self.sender) if self.sender else ""
        return asdict(self) | {"packet": self.packet.hex(), "sender": sender}

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> Parcel:
        """Return what `dump` made of it."""
        return cls(
            Entrance(value["entrance"]),
            bytes.fromhex(value["packet"]),
            value["pod"],
            ip_address(value["sender"]) if value["sender"] else None,
            value["identity"],
        )


@frozen
class Passage:
    """What became of a packet at a node, in a sentence too; `legs` are the programs that it met.

    ONWARD goes to `node` as the next parcel.
    """

    outcome: Outcome
    words: str
    legs: list[dict[str, Any]] = field(factory=list)
    node: str = ""
    parcel: Parcel | None = None

    def dump(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        parcel = self.parcel.dump() if self.parcel else None
        return asdict(self, recurse=False) | {"parcel": parcel}

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> Passage:
        """Return what `dump` made of it."""
        parcel = Parcel.load(value["parcel"]) if value["parcel"] else None
        given = dict(value) | {"outcome": Outcome(value["outcome"]), "parcel": parcel}
        return cls(**given)
