# SPDX-License-Identifier: Apache-2.0
"""A node of a lab: where all that is its own is found."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, ClassVar, Final

from attrs import frozen

from axoneme.agent.client import SOCKET
from axoneme.lab.runner import Runner

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.model import Address

_NETWORK4 = IPv4Address("172.30.0.0")
_NETWORK6 = IPv6Address("fd00:30::")
#: What the host part of an address may be: the outside has the last.
OUTSIDE = 254
PREFIX4, PREFIX6 = 24, 64
#: Addresses of the outside that are at no wire: only default routes lead there.
WORLD: Final = ("203.0.113.10", "2001:db8:113::10")


def wire_addresses(number: int) -> tuple[Address, ...]:
    """Return the addresses at the wire of the host with a number."""
    return _NETWORK4 + number, _NETWORK6 + number


@frozen
class LabNode(Runner):
    """A node by its number, from which its addresses follow."""

    role: ClassVar[str] = "agent"
    socket: ClassVar[str] = SOCKET

    number: int

    @property
    def title(self) -> str:
        """What people call what runs there."""
        return f"the agent of {self.name}"

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The node's own addresses, at the wire."""
        return wire_addresses(self.number)

    @property
    def cni_dir(self) -> Path:
        """Where its CNI plugin and the configuration for it are: bin/ and conf/."""
        return self.directory / "cni"
