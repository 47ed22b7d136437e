# SPDX-License-Identifier: Apache-2.0
"""The terms that both kinds of policies have: selectors, networks and ports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from axoneme import wire
from axoneme.model.labels import K8S, LEFT_OUT, NAMESPACE, NAMESPACE_LABEL, is_label_key
from axoneme.model.policy import HIGHEST_PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.model.policy import Network
    from axoneme.model.selector import Requirement
    from axoneme.wire import Faults, LabelSelector, Path

_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?")
_NAMESPACE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

#: Every namespace has this label, and its value is the namespace's name.
NAME_OF_NAMESPACE = "kubernetes.io/metadata.name"


def check_names(name: str, namespace: str, faults: Faults) -> None:
    """Note names that no object of Kubernetes can have."""
    wire.check_object_name(name, faults)
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

    def checked(name: str) -> str:
        key = key_of(name)
        bare = key.partition(":")[2]
        if not is_label_key(bare.removeprefix(NAMESPACE_LABEL.partition(":")[2])):
            raise ValueError(f"{name!r} is no key of a label")
        if bare in LEFT_OUT:
            raise ValueError(
                "identities leave this label out, since every pod has another: it never matches"
            )
        return key

    return wire.requirements(selector, checked, faults, path)


def exceptions(
    cidr: Network, texts: tuple[str, ...], faults: Faults, path: Path
) -> tuple[Network, ...]:
    """Return the networks that are taken out of another, in which each must be."""
    holes = []
    for index, text in enumerate(texts):
        hole = wire.network(text, faults, (*path, index))
        if hole is None:
            continue
        if not wire.is_within(hole, cidr) or hole == cidr:
            faults.add((*path, index), f"{hole} is no part of {cidr}")
        holes.append(hole)
    return tuple(holes)


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
