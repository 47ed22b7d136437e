# SPDX-License-Identifier: Apache-2.0
"""Keys of labels in Cilium's policies, and the namespace that a selector without one means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from axoneme.errors import nearest
from axoneme.model.labels import (
    ANY_SOURCE,
    K8S,
    NAMESPACE,
    NAMESPACE_LABEL,
    RESERVED_SOURCE,
)
from axoneme.model.selector import Operator, Requirement, Selector
from axoneme.policy._terms import namespace_key

if TYPE_CHECKING:
    from collections.abc import Sequence

_SOURCES: Final = (K8S, ANY_SOURCE, RESERVED_SOURCE)
_OWN_PREFIXES: Final = ("io.kubernetes.pod.", "io.cilium.k8s.")
_OF_NAMESPACE: Final = NAMESPACE_LABEL.partition(":")[2]


def label_key(text: str) -> str:
    """Return a key with its source, which is any when the text has none."""
    source, colon, name = text.partition(":")
    if not colon:
        source, name = ANY_SOURCE, text
    if source not in _SOURCES:
        near = nearest(source, _SOURCES)
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"{source!r} is none of {', '.join(_SOURCES)}{hint}")
    if source != RESERVED_SOURCE and name.startswith(_OF_NAMESPACE):
        return namespace_key(name.removeprefix(_OF_NAMESPACE))
    if source == ANY_SOURCE and name.startswith(_OWN_PREFIXES):
        source = K8S
    return f"{source}:{name}"


def is_reserved(requirement: Requirement) -> bool:
    """Say whether a requirement is of a label that no pod has."""
    return requirement.key.startswith(f"{RESERVED_SOURCE}:")


def in_namespace(requirements: Sequence[Requirement], namespace: str) -> Selector:
    """Return the selector of pods in one namespace."""
    return Selector([Requirement(NAMESPACE, Operator.IN, [namespace]), *requirements])


def scoped(requirements: Sequence[Requirement], namespace: str) -> Selector:
    """Return the selector of peers: pods in the policy's namespace unless it names others."""
    if any(map(is_reserved, requirements)):
        return Selector(requirements)
    named = any(r.key == NAMESPACE or r.key.startswith(NAMESPACE_LABEL) for r in requirements)
    if named:
        return Selector([Requirement(NAMESPACE, Operator.EXISTS), *requirements])
    return in_namespace(requirements, namespace)
