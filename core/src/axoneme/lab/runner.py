# SPDX-License-Identifier: Apache-2.0
"""Where a process of a lab runs: a node with its agent, or an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from axoneme.agent.client import ask_at

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.lab.places import Place


@frozen
class Runner:
    """What is called `name`, runs in `place`, and has its files below `directory`."""

    #: The command that it is.
    role: ClassVar[str]
    #: What it answers at, in its run directory.
    socket: ClassVar[str]

    name: str
    place: Place
    directory: Path

    @property
    def title(self) -> str:
        """The process, for people."""
        return self.name

    @property
    def config(self) -> Path:
        """Its configuration, in a directory that only it is in: that is watched."""
        return self.directory / "etc" / "axoneme.toml"

    @property
    def run_dir(self) -> Path:
        """Where its sockets are."""
        return self.directory / "run"

    @property
    def log(self) -> Path:
        """What it has written."""
        return self.directory / f"{self.role}.log"

    @property
    def pid_file(self) -> Path:
        """Which process it is."""
        return self.directory / f"{self.role}.pid"

    def ask(self, method: str, **arguments: Any) -> Any:
        """Ask it.

        Raises:
            ConnectionError: it does not run.
        """
        return ask_at(self.run_dir / self.socket, method, **arguments)
