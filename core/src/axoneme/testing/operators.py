# SPDX-License-Identifier: Apache-2.0
"""Operators: the real process, beside agents or alone with a state directory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from axoneme.agent.client import OPERATOR_SOCKET
from axoneme.testing._daemons import Daemon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class OperatorProcess(Daemon):
    """`axoneme operator` with a configuration and a run directory of its own.

    `state` is shared with the agents and other operators. `command` runs it in place of the
    command, `environment` is added to the test's.
    """

    def __init__(
        self,
        directory: Path,
        state: Path,
        *,
        command: Sequence[str] = ("-m", "axoneme", "operator"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.state = state
        self.config = directory / "axoneme.toml"
        self.run_dir = directory / "run"
        self.log = directory / "operator.log"
        super().__init__(self.run_dir / OPERATOR_SOCKET)
        self._command = [sys.executable, *command, "--config", str(self.config)]
        self.environment = {**os.environ, **(environment or {})}

    def configure(self, plugins: Sequence[str] = (), sections: str = "") -> None:
        """Write the configuration in one step; a running operator notices."""
        names = ", ".join(f'"{name}"' for name in plugins)
        draft = self.config.with_suffix(".new")
        draft.write_text(
            f'[agent]\nplugins = [{names}]\nstate-dir = "{self.state}"\n'
            f'run-dir = "{self.run_dir}"\n{sections}'
        )
        draft.replace(self.config)

    def launch(self) -> Self:
        """Start the process; it answers later, or ends before."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self.environment, stderr=log)
        return self

    def last_words(self) -> str:
        """What the process wrote."""
        return f":\n{self.log.read_text(errors='replace')}"

    @property
    def leads(self) -> bool:
        """Whether it says that it leads."""
        return bool(self.ask("status")["leading"])
