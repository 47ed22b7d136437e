# SPDX-License-Identifier: Apache-2.0
"""Agents and operators of a lab: processes of nobody, found again by their pid files."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from axoneme.errors import AxonemeError
from axoneme.lab.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.lab.runner import Runner

_READY_SECONDS = 120.0
_END_SECONDS = 10.0
_PAUSE = 0.02
_LOG_LINES = 12
#: The shell ends at once, and so the agent is nobody's child that would have to be waited for.
_DETACHED = '"$@" </dev/null >>"$0" 2>&1 & echo $!'


def find_agent(node: Runner) -> Process | None:
    """Return the process of a node's agent, None if it does not run."""
    return Process.load(node.pid_file)


def start_agent(node: Runner) -> None:
    """Start a node's agent; it answers later."""
    if find_agent(node):
        raise AxonemeError(f"{node.title} runs already; `axoneme lab kill` ends it")
    command = [sys.executable, "-m", "axoneme", node.role, "--config", str(node.config)]
    words = ["sh", "-c", _DETACHED, str(node.log), *command]
    started = subprocess.run(
        node.place.command(words, directory=node.directory),
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    process = Process.of(int(started.stdout)) if started.returncode == 0 else None
    if process is None:
        raise AxonemeError(f"{node.title} does not start: {started.stderr.strip()}")
    process.save(node.pid_file)


def wait_for_agents(nodes: Iterable[Runner], seconds: float = _READY_SECONDS) -> None:
    """Wait until the agents of all these nodes answer.

    Raises:
        AxonemeError: one has ended, with the last lines that it wrote, or does not answer.
    """
    end = time.monotonic() + seconds
    for node in nodes:
        while not answers(node):
            if find_agent(node) is None:
                raise AxonemeError(f"{node.title} has ended; its log:\n{tail(node)}")
            if time.monotonic() > end:
                raise AxonemeError(
                    f"{node.title} does not answer after {seconds:.0f} s; its log:\n{tail(node)}"
                )
            time.sleep(_PAUSE)


def answers(node: Runner) -> bool:
    """Whether a node's agent answers."""
    try:
        node.ask("status")
    except (OSError, ValueError):
        return False
    return True


def end_agent(node: Runner, number: signal.Signals = signal.SIGKILL) -> None:
    """End a node's agent: as a crash would, or with a signal that lets it go by itself."""
    process = find_agent(node)
    if process is None:
        raise AxonemeError(f"no {node.role} runs on {node.name}; `axoneme lab start` starts it")
    if not process.end(number, _END_SECONDS):
        raise AxonemeError(
            f"{node.title} ({process.pid}) does not end by {number.name}; send "
            "SIGKILL, or see what it does with `axoneme lab logs`"
        )


def tail(node: Runner, lines: int = _LOG_LINES) -> str:
    """Return the last lines that a node's agents have written."""
    if not node.log.exists():
        return "(nothing)"
    return "\n".join(node.log.read_text(errors="replace").splitlines()[-lines:])
