# SPDX-License-Identifier: Apache-2.0
"""An operator that kills itself before it changes a file for the n-th time.

python -m tests.system.dying_operator N STATE --config FILE

What counts is below STATE: files opened for writing, made, renamed, linked, removed and locked.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path

from axoneme.cli.main import cli

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
#: Where in the arguments of an event the file is.
_CHANGES = {
    "open": 0,
    "fcntl.flock": 0,
    "os.link": 1,
    "os.mkdir": 0,
    "os.remove": 0,
    "os.rename": 1,
    "os.symlink": 1,
    "os.truncate": 0,
}


def die_before(number: int, state: str) -> None:
    """End the process, as a crash would, at an event."""
    left = number

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event not in _CHANGES or not _changes(event, arguments):
            return
        if _path(arguments[_CHANGES[event]]).startswith(state):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        return bool(int(arguments[2]) & _WRITING)  # type: ignore[call-overload]
    return event != "fcntl.flock" or bool(int(arguments[1]) & fcntl.LOCK_EX)  # type: ignore[call-overload]


def _path(file: object) -> str:
    if isinstance(file, int):
        return str(Path(f"/proc/self/fd/{file}").readlink())
    return os.fsdecode(file) if isinstance(file, str | bytes | os.PathLike) else ""


if __name__ == "__main__":
    die_before(int(sys.argv[1]), sys.argv[2])
    cli(["operator", *sys.argv[3:]])
