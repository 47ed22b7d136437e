# SPDX-License-Identifier: Apache-2.0
"""An endpoint: one pod's attachment to its node."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from attrs.validators import ge, instance_of, le

from axoneme.model.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from attrs import Attribute

    from axoneme.model.address import Address


_U32 = 0xFFFFFFFF
_MAC_BYTES = 6


def _number(low: int, high: int) -> list[Callable[[Any, Attribute[int], int], Any]]:
    return [instance_of(int), ge(low), le(high)]


def _text(pattern: str, what: str) -> Callable[[Any, Attribute[str], str], Any]:
    def check(_: object, attribute: Attribute[str], value: Any) -> None:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(f"{attribute.name} must be {what}, not {value!r}")

    return check


def _mac(_: object, attribute: Attribute[bytes], value: Any) -> None:
    if not isinstance(value, bytes) or len(value) != _MAC_BYTES:
        raise ValueError(f"{attribute.name} must be {_MAC_BYTES} bytes, not {value!r}")


def _addresses(_: object, attribute: Attribute[tuple[Address, ...]], value: Any) -> None:
    if not value:
        raise ValueError(f"{attribute.name} must have at least one address")
    for address in value:
        if not isinstance(address, (IPv4Address, IPv6Address)):
            raise TypeError(f"{attribute.name} must be IPv4Address or IPv6Address, not {address!r}")
        try:
            parse_address(address)
        except ValueError as error:
            raise ValueError(f"{attribute.name}: {error}") from error
    if len(set(value)) != len(value):
        raise ValueError(f"{attribute.name} has an address twice: {value}")


def _as_tuple(addresses: Iterable[Address]) -> tuple[Address, ...]:
    return tuple(addresses)


@frozen
class Endpoint:
    """One pod's attachment to its node, as the maps and the hooks see it.

    `ifname`, `ifindex` and `node_mac` are those of the host side of the pod's link, `mac` is
    the pod's own. `identity` stands for the pod's labels; 0 is not known yet. `rule_set` is the
    slot of the rule set that holds for it, 0 when none does.
    """

    id: int = field(validator=_number(1, _U32))
    name: str = field(validator=_text(r".+", "a name"))
    namespace: str = field(validator=_text(r".+", "the name of a namespace"))
    ifname: str = field(validator=_text(r"[^/:\s]{1,15}", "the name of a device"))
    ifindex: int = field(validator=_number(1, 0x7FFFFFFF))
    addresses: tuple[Address, ...] = field(converter=_as_tuple, validator=_addresses)
    mac: bytes = field(validator=_mac)
    node_mac: bytes = field(validator=_mac)
    identity: int = field(validator=_number(0, _U32))
    rule_set: int = field(default=0, validator=_number(0, _U32))

    def __str__(self) -> str:
        """Return the pod's name as Kubernetes writes it."""
        return f"{self.namespace}/{self.name}"
