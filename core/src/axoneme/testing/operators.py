# SPDX-License-Identifier: Apache-2.0
"""Operators: the real process, beside agents or alone with a state directory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from axoneme.agent.client import OPERATOR_SOCKET, ask_at
from axoneme.testing._timeouts import scaled
from axoneme.testing._worker import KitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_SECONDS = 20.0


class OperatorProcess:
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
        self.process: subprocess.Popen[bytes] | None = None
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

    def start(self) -> Self:
        """Start the process, and wait until it answers."""
        self.launch()
        self.wait_for(self._answers, "the operator to answer")
        return self

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            text = self.log.read_text(errors="replace")
            raise KitError(f"the operator ended with {self.process.returncode}:\n{text}")
        try:
            self.ask("status")
        except ConnectionError:
            return False
        return True

    def ask(self, method: str, **arguments: Any) -> Any:
        """What the operator answers on its socket."""
        return ask_at(self.run_dir / OPERATOR_SOCKET, method, **arguments)

    @property
    def leads(self) -> bool:
        """Whether it says that it leads."""
        return bool(self.ask("status")["leading"])

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds; KitError after 20 seconds."""
        end = time.monotonic() + scaled(_SECONDS)
        while not condition():
            if time.monotonic() > end:
                raise KitError(f"waited {scaled(_SECONDS):.0f} s for {what}")
            time.sleep(0.005)

    def end(self) -> int:
        """End the process with SIGTERM; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(scaled(_SECONDS))

    def kill(self) -> None:
        """End the process as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(scaled(_SECONDS))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
