# SPDX-License-Identifier: Apache-2.0
"""Identities: the numbers by which packets and maps speak of labels."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from attrs import frozen

from axoneme.model.labels import CIDR_SOURCE, RESERVED_SOURCE, Labels, short_labels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network


class Reserved(IntEnum):
    """The numbers that mean the same in every cluster."""

    HOST = 1
    WORLD = 2
    UNMANAGED = 3
    HEALTH = 4
    INIT = 5
    REMOTE_NODE = 6
    KUBE_APISERVER = 7
    INGRESS = 8
    WORLD_IPV4 = 9
    WORLD_IPV6 = 10

    @property
    def word(self) -> str:
        """What people call it: host, remote-node."""
        return self.name.lower().replace("_", "-")

    @property
    def label(self) -> str:
        """The key of the label that an identity of this number has."""
        return f"{RESERVED_SOURCE}:{self.word}"


FIRST_OF_LABELS: Final = 256
FIRST_OF_CIDRS: Final = 1 << 24
LAST_OF_CIDRS: Final = (1 << 25) - 1
#: What is outside the cluster: packets say which family, WORLD itself is for selectors.
OUTSIDE: Final = frozenset({Reserved.WORLD, Reserved.WORLD_IPV4, Reserved.WORLD_IPV6})


@frozen
class Identity:
    """A number and the labels that it stands for."""

    number: int
    labels: Labels

    def __str__(self) -> str:
        """Return number and labels."""
        return f"{self.number} {self.labels}"


def _reserved(number: Reserved) -> Identity:
    labels = {number.label: ""}
    if number in OUTSIDE:
        labels[Reserved.WORLD.label] = ""
    return Identity(int(number), Labels.of(labels))


RESERVED: Final[Mapping[int, Identity]] = MappingProxyType(
    {int(number): _reserved(number) for number in Reserved}
)


def identity_name(number: int, labels: Mapping[str, str] | None = None) -> str:
    """Return who has an identity, for people: host, 10.0.0.0/8, app=web in shop.

    It is "" where that is not known. labels: those of the number, if somebody knows them.
    """
    if number in RESERVED:
        return Reserved(number).word
    prefix = f"{CIDR_SOURCE}:"
    networks = (key.removeprefix(prefix) for key in labels or () if key.startswith(prefix))
    return next(networks, None) or short_labels(labels or {})


def cidr_identity(number: int, network: IPv4Network | IPv6Network) -> Identity:
    """Return the identity of a network outside the cluster; only its node knows the number."""
    world = Reserved.WORLD_IPV4 if network.version == 4 else Reserved.WORLD_IPV6
    return Identity(
        number,
        Labels({**RESERVED[world].labels, f"{CIDR_SOURCE}:{network}": ""}),
    )
