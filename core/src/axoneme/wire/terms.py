# SPDX-License-Identifier: Apache-2.0
"""The terms that several kinds have: names, selectors and networks."""

from __future__ import annotations

import re
from ipaddress import IPv6Network, ip_network
from typing import TYPE_CHECKING

from axoneme.model.labels import is_label_value
from axoneme.model.selector import Operator, Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.model.node import Network
    from axoneme.wire.faults import Faults, Path
    from axoneme.wire.metadata import Expression, LabelSelector

_OBJECT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_MAPPED = IPv6Network("::ffff:0:0/96")


def check_object_name(name: str, faults: Faults) -> None:
    """Note a name that no object of Kubernetes can have."""
    if not _OBJECT_NAME.fullmatch(name):
        faults.add(("metadata", "name"), f"{name!r} is no name: use a to z, 0 to 9, - and .")


def requirements(
    selector: LabelSelector, key_of: Callable[[str], str], faults: Faults, path: Path
) -> Iterator[Requirement]:
    """Yield what a selector requires, of the labels to which `key_of` turns its keys.

    `key_of` raises ValueError for a key that it does not take.
    """
    for name, value in (selector.match_labels or {}).items():
        place = (*path, "matchLabels", name)
        key = _key(name, key_of, faults, place)
        _check_value(value, faults, place)
        yield Requirement(key, Operator.IN, [value])
    for index, expression in enumerate(selector.match_expressions or ()):
        place = (*path, "matchExpressions", index)
        key = _key(expression.key, key_of, faults, (*place, "key"))
        yield _requirement(key, expression, faults, place)


def _requirement(key: str, expression: Expression, faults: Faults, path: Path) -> Requirement:
    operator = Operator(expression.operator)
    values = expression.values or ()
    takes_values = operator in (Operator.IN, Operator.NOT_IN)
    if takes_values and not values:
        faults.add((*path, "values"), f"{operator.value} needs at least one value")
    if values and not takes_values:
        faults.add((*path, "values"), f"{operator.value} takes no values")
    for index, value in enumerate(values):
        _check_value(value, faults, (*path, "values", index))
    return Requirement(key, operator, values)


def _key(name: str, key_of: Callable[[str], str], faults: Faults, path: Path) -> str:
    try:
        return key_of(name)
    except ValueError as error:
        faults.add(path, str(error))
        return name


def _check_value(value: str, faults: Faults, path: Path) -> None:
    if not is_label_value(value):
        faults.add(path, f"{value!r} is no value of a label")


def network(text: str, faults: Faults, path: Path) -> Network | None:
    """Return the network that a text means; bits behind the prefix are ignored."""
    address, slash, length = text.partition("/")
    found: Network | None = None
    if slash and length.isascii() and length.isdecimal() and "%" not in address:
        try:
            found = ip_network(text, strict=False)
        except ValueError:
            found = None
    if found is None:
        faults.add(path, f"{text!r} is no network: write 10.0.0.0/8 or fd00::/8")
        return None
    if isinstance(found, IPv6Network) and found.subnet_of(_MAPPED):
        faults.add(path, f"{text!r} is IPv4 in disguise: write it as IPv4")
        return None
    return found


def is_within(inner: Network, outer: Network) -> bool:
    """Say whether a network is another one or a part of it."""
    return (
        inner.version == outer.version
        and inner.prefixlen >= outer.prefixlen
        and inner.network_address in outer
    )
