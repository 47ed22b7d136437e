# SPDX-License-Identifier: Apache-2.0
"""Processes of the project that a test starts, asks and ends: agents and operators."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from axoneme.agent.client import ask_at
from axoneme.testing._timeouts import scaled
from axoneme.testing._worker import KitError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

_SECONDS = 20.0
_PAUSE = 0.02


class Daemon(ABC):
    """A process that answers on a socket; within `with` it runs."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def launch(self) -> Self:
        """Start the process; it answers later, or ends before."""

    def start(self) -> Self:
        """Start the process, and wait until it answers."""
        self.launch()
        self.wait_for(self._answers, f"an answer at {self.socket.name}")
        return self

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise KitError(f"the process ended with {self.process.returncode}{self.last_words()}")
        try:
            self.ask("status")
        except ConnectionError:
            return False
        return True

    def last_words(self) -> str:
        """What a process that has ended wrote, as the end of a sentence."""
        return "; see what it wrote"

    def ask(self, method: str, **arguments: Any) -> Any:
        """What it answers on its socket."""
        return ask_at(self.socket, method, **arguments)

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds; KitError after 20 seconds."""
        end = time.monotonic() + scaled(_SECONDS)
        while not condition():
            if time.monotonic() > end:
                raise KitError(f"waited {scaled(_SECONDS):.0f} s for {what}")
            time.sleep(_PAUSE)

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
            self.end()
