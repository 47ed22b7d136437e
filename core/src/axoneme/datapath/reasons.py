# SPDX-License-Identifier: Apache-2.0
"""Drop reasons: the numbers of core's headers, and those given to plugins' own.

Plugins' reasons are numbered from 1,024 when their objects are linked. The numbers are kept in the
pinned map `reasons`, since drop counters outlive the agent that started them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme.errors import DatapathError

from .images import trunk_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .parts import Part

CORE = "core"
FIRST_OF_PLUGINS = 1024
_LAST = 0xFFFF
#: What Hubble and the metrics show, of the numbers that core uses.
_TEXTS = {
    "NONE": "A stage gave no reason",
    "INVALID_SOURCE_IP": "Invalid source ip",
    "POLICY_DENIED": "Policy denied",
    "INVALID_PACKET": "Invalid packet",
    "TRUNCATED_L4": "CT: Truncated or invalid header",
    "UNSUPPORTED_L3": "Unsupported L3 protocol",
    "WRITE_ERROR": "Error writing to packet",
    "INVALID_IPV6_EXTENSION": "Invalid IPv6 extension header",
    "CONNTRACK_FULL": "CT: Map insertion failed",
    "FRAGMENT_NOT_FOUND": "Fragmented packet without a known first fragment",
    "NO_TUNNEL": "No tunnel/encapsulation endpoint",
    "UNSUPPORTED_L2": "Unsupported L2 protocol",
    "VLAN_FILTERED": "VLAN traffic disallowed by VLAN filter",
    "POLICY_DENY": "Policy denied by denylist",
    "INVALID_VERDICT": "A stage returned an invalid verdict",
    "MAPPED_ADDRESS": "IPv4-mapped address on the wire",
    "CONNTRACK_BUSY": "CT: the entry of an ended flow is leaving",
    "STRANGE_ENCAPSULATION": "Encapsulated by an address that is no node",
    "TUNNEL_KEY": "No tunnel key",
}


@frozen
class Reason:
    """Why packets are dropped: a number, its owner, its name and a sentence for people."""

    number: int
    owner: str
    name: str
    text: str


@cache
def core_reasons() -> dict[int, Reason]:
    """The reasons of core's header, read from the BTF of the trunks."""
    prefix = "AXN_REASON_"
    enumerators = trunk_object("tc").declarations.btf.enumerators("axn_reason")
    names = {number: name.removeprefix(prefix) for name, number in enumerators.items()}
    return {n: Reason(n, CORE, name.lower(), _TEXTS[name]) for n, name in sorted(names.items())}


@define
class ReasonRegistry:
    """The reasons of this node's plugins; a name keeps its number for as long as the maps live."""

    _known: dict[tuple[str, str], Reason] = field(factory=dict)

    def restore(self, reasons: Iterable[Reason]) -> None:
        """Take over the numbers that an earlier agent gave."""
        for reason in reasons:
            self._known[reason.owner, reason.name] = reason

    def assign(self, part: Part) -> dict[str, int]:
        """The number of each of a part's reasons, by the name of its constant.

        Raises:
            DatapathError: all numbers are taken.
        """
        return {r.name: self._number(part.plugin, r.name, r.text) for r in part.reasons}

    def _number(self, owner: str, name: str, text: str) -> int:
        known = self._known.get((owner, name))
        taken = {r.number for r in self._known.values()}
        number = known.number if known else max(taken, default=FIRST_OF_PLUGINS - 1) + 1
        if number > _LAST:
            raise DatapathError(f"no number is left for reason {name} of plugin {owner}")
        self._known[owner, name] = Reason(number, owner, name, text)
        return number

    def get(self, number: int) -> Reason:
        """The reason of a number; one that nobody declares any more has only the number."""
        unknown = Reason(number, "", f"reason_{number}", f"Reason {number}, of no plugin here")
        return core_reasons().get(number) or self.all().get(number, unknown)

    def all(self) -> dict[int, Reason]:
        """Every reason that a drop on this node may have, by number."""
        return core_reasons() | {r.number: r for r in self._known.values()}
