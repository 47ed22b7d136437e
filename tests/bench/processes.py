# SPDX-License-Identifier: Apache-2.0
"""Processes that go before others, and say when they are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.results import BenchError

if TYPE_CHECKING:
    from subprocess import Popen

URGENT = -15


def urgent(*words: object) -> list[str]:
    """A command that others on the machine hold up less."""
    return ["nice", "-n", str(URGENT), *map(str, words)]


def wait_for(process: Popen[str], word: str) -> None:
    """Return when a process has written a line with this word; what it wrote is in the error.

    Raises:
        BenchError: it ended before.
    """
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        if word in line:
            return
        lines.append(line)
    raise BenchError(f"{process.args!r} ended before it was {word}: {''.join(lines)}")
