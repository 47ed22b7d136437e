# SPDX-License-Identifier: Apache-2.0
"""The operators of a lab: two, of which one leads, beside the outside that is no node."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import frozen

from axoneme.agent.client import OPERATOR_SOCKET, ask_at
from axoneme.errors import AxonemeError
from axoneme.sources import NodeFiles

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.lab.lab import Lab
    from axoneme.lab.places import Place

OPERATORS: Final = 2
_SECONDS = 60.0
_PAUSE = 0.02


@frozen
class LabOperator:
    """An operator; its files are below `directory`."""

    name: str
    place: Place
    directory: Path

    #: The command that it is.
    role: ClassVar[str] = "operator"

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name

    @property
    def config(self) -> Path:
        """Its configuration, in a directory that only it is in: that is watched."""
        return self.directory / "etc" / "axoneme.toml"

    @property
    def run_dir(self) -> Path:
        """Where its socket is."""
        return self.directory / "run"

    @property
    def log(self) -> Path:
        """What it has written."""
        return self.directory / "operator.log"

    @property
    def pid_file(self) -> Path:
        """Which process it is."""
        return self.directory / "operator.pid"

    def ask(self, method: str) -> Any:
        """Ask it.

        Raises:
            ConnectionError: it does not run.
        """
        return ask_at(self.run_dir / OPERATOR_SOCKET, method)


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
