# SPDX-License-Identifier: Apache-2.0
"""Manifests into policies: every kind of them ends in the one form of `axoneme.model.policy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from axoneme.errors import PolicyError, nearest
from axoneme.policy import _cilium, _kubernetes
from axoneme.wire import Faults, named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from axoneme.model.policy import Policy

_READERS: Final[
    Mapping[str, tuple[str, Callable[[dict[str, Any], Faults], tuple[Policy, ...]]]]
] = {
    _kubernetes.KIND: (_kubernetes.API, _kubernetes.read_network_policy),
    _cilium.KIND: (_cilium.API, _cilium.read_cilium_network_policy),
}
#: The kinds that `parse_policy` takes.
POLICY_KINDS: Final = frozenset(_READERS)


def parse_policy(document: Any, where: str) -> tuple[Policy, ...]:
    """Return the policies of one manifest, which is at `where` (FILE or FILE:LINE).

    Raises PolicyError with everything that is wrong.
    """
    faults = Faults(where)
    found: tuple[Policy, ...] = ()
    if isinstance(document, dict):
        found = _parse(document, faults)
    else:
        faults.add((), f"expected a mapping, got {named(document)}")
    if faults.found:
        raise PolicyError(faults.problems())
    return found


def _parse(document: dict[str, Any], faults: Faults) -> tuple[Policy, ...]:
    kind: Any = document.get("kind")
    if not isinstance(kind, str) or kind not in _READERS:
        near = nearest(kind, _READERS) if isinstance(kind, str) else None
        faults.add(("kind",), f"{_said(kind)} is no kind of policy that is supported", near)
        return ()
    api, read = _READERS[kind]
    version: Any = document.get("apiVersion")
    if version != api:
        faults.add(("apiVersion",), f"{kind} is read as {api}, not as {_said(version)}")
        return ()
    return read(document, faults)


def _said(value: Any) -> str:
    return repr(value) if isinstance(value, str) else named(value)
