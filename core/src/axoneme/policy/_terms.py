# SPDX-License-Identifier: Apache-2.0
"""The terms that both kinds of policies have: selectors, networks and ports."""

from __future__ import annotations

import re
from ipaddress import IPv6Network, ip_network
from typing import TYPE_CHECKING

from axoneme.model.labels import (
    K8S,
    LEFT_OUT,
    NAMESPACE,
    NAMESPACE_LABEL,
    is_label_key,
    is_label_value,
)
from axoneme.model.policy import HIGHEST_PORT
from axoneme.model.selector import Operator, Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.model.policy import Network
    from axoneme.policy._faults import Faults, Path
    from axoneme.policy._wire import Expression, LabelSelector

_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?")
_OBJECT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_NAMESPACE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAPPED = IPv6Network("::ffff:0:0/96")

#: Every namespace has this label, and its value is the namespace's name.
NAME_OF_NAMESPACE = "kubernetes.io/metadata.name"


def check_names(name: str, namespace: str, faults: Faults) -> None:
    """Note names that no object of Kubernetes can have."""
    if not _OBJECT_NAME.fullmatch(name):
        faults.add(("metadata", "name"), f"{name!r} is no name: use a to z, 0 to 9, - and .")
    if not _NAMESPACE_NAME.fullmatch(namespace):
        sentence = f"{namespace!r} is no namespace: use a to z, 0 to 9 and -"
        faults.add(("metadata", "namespace"), sentence)


def pod_key(key: str) -> str:
    """Return a label of pods as identities have it."""
    return f"{K8S}:{key}"


def namespace_key(key: str) -> str:
    """Return a label of namespaces as the identities of their pods have it."""
    return NAMESPACE if key == NAME_OF_NAMESPACE else NAMESPACE_LABEL + key


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
        key = key_of(name)
    except ValueError as error:
        faults.add(path, str(error))
        return name
    bare = key.partition(":")[2]
    if not is_label_key(bare.removeprefix(NAMESPACE_LABEL.partition(":")[2])):
        faults.add(path, f"{name!r} is no key of a label")
    elif bare in LEFT_OUT:
        sentence = "identities leave this label out, since every pod has another: it never matches"
        faults.add(path, sentence)
    return key


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


def exceptions(
    cidr: Network, texts: tuple[str, ...], faults: Faults, path: Path
) -> tuple[Network, ...]:
    """Return the networks that are taken out of another, in which each must be."""
    holes = []
    for index, text in enumerate(texts):
        hole = network(text, faults, (*path, index))
        if hole is None:
            continue
        if not is_within(hole, cidr) or hole == cidr:
            faults.add((*path, index), f"{hole} is no part of {cidr}")
        holes.append(hole)
    return tuple(holes)


def is_within(inner: Network, outer: Network) -> bool:
    """Say whether a network is another one or a part of it."""
    return (
        inner.version == outer.version
        and inner.prefixlen >= outer.prefixlen
        and inner.network_address in outer
    )


def check_range(first: int, last: int, faults: Faults, path: Path) -> bool:
    """Note a range of ports that is none."""
    if not 1 <= first <= HIGHEST_PORT:
        faults.add((*path, "port"), f"{first} is no port: they are 1 to {HIGHEST_PORT}")
    elif not first <= last <= HIGHEST_PORT:
        sentence = f"{last} must be {first} to {HIGHEST_PORT}, as the range begins with {first}"
        faults.add((*path, "endPort"), sentence)
    else:
        return True
    return False


def check_port_name(name: str, end: int | None, faults: Faults, path: Path) -> bool:
    """Note a name that no port can have, or that has a range."""
    if not _PORT_NAME.fullmatch(name):
        sentence = f"{name!r} is no name of a port: use up to 15 of a to z, 0 to 9 and -"
        faults.add((*path, "port"), sentence)
    elif end is not None:
        faults.add((*path, "endPort"), "a range begins with a number, not with a name")
    else:
        return True
    return False
