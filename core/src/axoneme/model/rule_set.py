# SPDX-License-Identifier: Apache-2.0
"""Rule sets: policies as the maps carry them, less the number of the version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from attrs import frozen

from axoneme.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping

ALLOW: Final = 0
DENY: Final = 1
#: In an entry's flags, of a network: it counts for peers inside the cluster, too.
ANY_PEER: Final = 1

DEFAULT_DENY_INGRESS: Final = 1
DEFAULT_DENY_EGRESS: Final = 2
NAMES_CIDRS: Final = 4

_INGRESS: Final = 0x80


class PolicyKey(NamedTuple):
    """What an entry is for; 0 is any identity, and any protocol. The port is a number."""

    identity: int
    port: int
    proto: int
    kind: int

    @classmethod
    def of(
        cls, direction: Direction, identity: int, proto: int = 0, port: int = 0, length: int = 0
    ) -> PolicyKey:
        """Return the key for the ports that share so many bits with one of them."""
        return cls(identity, port, proto, _INGRESS * direction | length)

    @property
    def direction(self) -> Direction:
        """The direction of the packets."""
        return Direction.INGRESS if self.kind & _INGRESS else Direction.EGRESS

    @property
    def length(self) -> int:
        """How many bits of the port count."""
        return self.kind & ~_INGRESS


class PolicyEntry(NamedTuple):
    """What becomes of a packet, and by which rule."""

    rule: int
    verdict: int = ALLOW
    flags: int = 0
    proxy: int = 0


@frozen(order=False)
class RuleSet:
    """What the policies that select an identity let in and out of its endpoints.

    `ingress_policies` and `egress_policies` are what a default deny names. `limits` are
    sentences about what the maps cannot express and is therefore denied.
    """

    entries: Mapping[PolicyKey, PolicyEntry]
    default_deny_ingress: bool = False
    default_deny_egress: bool = False
    names_cidrs: bool = False
    ingress_policies: tuple[str, ...] = ()
    egress_policies: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def flags(self) -> int:
        """The flags of the rule set's row."""
        return (
            DEFAULT_DENY_INGRESS * self.default_deny_ingress
            | DEFAULT_DENY_EGRESS * self.default_deny_egress
            | NAMES_CIDRS * self.names_cidrs
        )

    def default_deny(self, direction: Direction) -> bool:
        """Say whether a packet that no entry is for is dropped."""
        ingress = direction is Direction.INGRESS
        return self.default_deny_ingress if ingress else self.default_deny_egress

    def selected_by(self, direction: Direction) -> tuple[str, ...]:
        """The policies that restrict the endpoint in a direction: a default deny is theirs."""
        ingress = direction is Direction.INGRESS
        return self.ingress_policies if ingress else self.egress_policies
