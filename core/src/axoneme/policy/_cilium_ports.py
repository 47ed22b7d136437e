# SPDX-License-Identifier: Apache-2.0
"""Ports in Cilium's policies: strings, with a range or a protocol that may be any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from axoneme.errors import nearest
from axoneme.model.policy import PROTOCOLS, Ports
from axoneme.policy._terms import check_port_name, check_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from axoneme.policy._wire_cilium import PortDenyRule, PortProtocol, PortRule
    from axoneme.wire import Faults, Path

_ANY: Final = "ANY"
_LATER: Final = frozenset({"ICMP", "ICMPv6", "IGMP", "VRRP"})
#: Python refuses to read numbers of thousands of digits; these are no ports anyway.
_LONGEST_NUMBER: Final = 9


def read_ports(
    rules: Sequence[PortRule | PortDenyRule], faults: Faults, path: Path
) -> tuple[Ports, ...] | None:
    """Return the ports of a rule, None when it says nothing about them."""
    if not rules:
        return None
    return tuple(_all_ports(rules, faults, path))


def _all_ports(
    rules: Iterable[PortRule | PortDenyRule], faults: Faults, path: Path
) -> Iterator[Ports]:
    for index, rule in enumerate(rules):
        if not rule.ports:
            faults.add((*path, index, "ports"), "needs at least one port; 0 means all")
        for position, port in enumerate(rule.ports or ()):
            yield from _one(port, faults, (*path, index, "ports", position))


def _one(port: PortProtocol, faults: Faults, path: Path) -> Iterator[Ports]:
    protocols = _protocols(port.protocol or _ANY, faults, path)
    if not (port.port.isascii() and port.port.isdecimal()):
        if check_port_name(port.port, port.end_port, faults, path):
            yield from (Ports(proto, name=port.port) for proto in protocols)
        return
    first = int(port.port[:_LONGEST_NUMBER])
    if first == 0:
        if port.end_port:
            faults.add((*path, "endPort"), "port 0 means all, and has no range")
        yield from (Ports(),) if port.protocol in (None, _ANY) else map(Ports, protocols)
        return
    last = first if not port.end_port else port.end_port
    if check_range(first, last, faults, path):
        yield from (Ports(proto, first, last) for proto in protocols)


def _protocols(name: str, faults: Faults, path: Path) -> list[int]:
    if name == _ANY:
        return [*PROTOCOLS.values()]
    if name in PROTOCOLS:
        return [PROTOCOLS[name]]
    if name in _LATER:
        faults.add((*path, "protocol"), f"{name} is not supported yet")
    else:
        near = nearest(name, [*PROTOCOLS, _ANY])
        faults.add((*path, "protocol"), f"{name!r} is no protocol", near)
    return []
