# SPDX-License-Identifier: Apache-2.0
"""How long a pod's packets may be: the uplink's MTU, less all that is put around a packet.

A pod's device keeps the uplink's MTU, since between the pods of a node nothing is put around; its
routes say what is left. Each byte has a name here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What IPv6 asks of every link (RFC 8200, 5).
_LEAST: Final = 1280


@frozen
class Overhead:
    """What is put around a packet on its way, in parts from the inside to the outside."""

    name: str
    parts: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        """All of its bytes."""
        return sum(size for _, size in self.parts)


_TUNNEL = (("inner Ethernet header", 14), ("VXLAN header", 8), ("UDP header", 8))
_WIREGUARD = (("WireGuard header", 16), ("authentication tag", 16), ("UDP header", 8))
_OUTER4 = ("outer IPv4 header", 20)
_OUTER6 = ("outer IPv6 header", 40)

OVERHEADS: Final[Mapping[str, Overhead]] = {
    one.name: one
    for one in (
        Overhead("vxlan over IPv4", (*_TUNNEL, _OUTER4)),
        Overhead("vxlan over IPv6", (*_TUNNEL, _OUTER6)),
        # Of either family: a peer's may change while packets are on their way.
        Overhead("wireguard", (*_WIREGUARD, _OUTER6)),
    )
}


@frozen
class MtuBudget:
    """A device's MTU, and what is taken from it."""

    device: int
    overheads: tuple[Overhead, ...] = ()

    @classmethod
    def of(cls, device: int, names: Iterable[str] = ()) -> MtuBudget:
        """Return the budget of a device with these overheads.

        Raises:
            AxonemeError: what is left is too short for IPv6.
        """
        budget = cls(device, tuple(OVERHEADS[name] for name in names))
        if budget.route < _LEAST:
            raise AxonemeError(
                f"{budget.route} bytes are left for a pod's packets, and IPv6 needs {_LEAST}; "
                f"raise the MTU of the uplink: {'; '.join(budget.explain())}"
            )
        return budget

    @property
    def route(self) -> int:
        """What a packet that leaves the node may have."""
        return self.device - sum(overhead.size for overhead in self.overheads)

    def explain(self) -> tuple[str, ...]:
        """A line for what there is, for every part that is taken, and for what is left."""
        lines = [f"{self.device} MTU of the device"]
        for overhead in self.overheads:
            lines += [f"-{size} {part} ({overhead.name})" for part, size in overhead.parts]
        return (*lines, f"{self.route} for a pod's packets")
