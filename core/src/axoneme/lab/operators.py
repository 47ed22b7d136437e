# SPDX-License-Identifier: Apache-2.0
"""The operators of a lab: two, of which one leads, beside the outside that is no node."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import frozen

from axoneme.agent.client import OPERATOR_SOCKET
from axoneme.errors import AxonemeError
from axoneme.lab.runner import Runner
from axoneme.sources import NodeFiles

if TYPE_CHECKING:
    from axoneme.lab.lab import Lab

OPERATORS: Final = 2
_SECONDS = 60.0
_PAUSE = 0.02


@frozen
class LabOperator(Runner):
    """An operator."""

    role: ClassVar[str] = "operator"
    socket: ClassVar[str] = OPERATOR_SOCKET


def wait_for_networks(lab: Lab, nodes: int) -> None:
    """Wait until so many nodes have networks for their pods, if an operator gives them any.

    Raises:
        AxonemeError: there are not enough, or it takes too long.
    """
    end = time.monotonic() + _SECONDS
    files = NodeFiles(lab.state / "nodes")
    while True:
        found = [record for record in files.read().records if record.networks]
        leader = _leader(lab)
        if len(found) == nodes or (leader and leader["nodes"] == nodes and not leader["plans"]):
            return
        if leader and leader["unserved"]:
            told = "; ".join(dict.fromkeys(leader["unserved"].values()))
            raise AxonemeError(f"nodes {', '.join(leader['unserved'])} get no networks: {told}")
        if time.monotonic() > end:
            told = "; ".join(leader["problems"]) if leader else "no operator leads"
            raise AxonemeError(f"nodes have no networks after {_SECONDS:.0f} s: {told}")
        time.sleep(_PAUSE)


def _leader(lab: Lab) -> dict[str, Any] | None:
    """What the operator says that leads."""
    for operator in lab.operators:
        try:
            told: dict[str, Any] = operator.ask("status")
        except ConnectionError:
            continue
        if told["leading"]:
            return told
    return None
