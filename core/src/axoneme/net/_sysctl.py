# SPDX-License-Identifier: Apache-2.0
"""Kernel settings below /proc/sys: those of `net` are of the calling thread's namespace."""

from __future__ import annotations

from pathlib import Path

from axoneme.net._errors import NetworkError

_ROOT = Path("/proc/sys")


def read_sysctl(name: str) -> str:
    """Return a setting, named with slashes since device names may have dots."""
    try:
        return (_ROOT / name).read_text().strip()
    except OSError as error:
        raise _error(f"cannot read sysctl {name}", error) from error


def write_sysctl(name: str, value: int | str) -> None:
    """Change a setting, named with slashes since device names may have dots."""
    try:
        (_ROOT / name).write_text(f"{value}")
    except OSError as error:
        raise _error(f"cannot set sysctl {name} = {value}", error) from error


def _error(message: str, error: OSError) -> NetworkError:
    missing = isinstance(error, FileNotFoundError)
    advice = "see what this kernel has with `sysctl -a`" if missing else ""
    return NetworkError(message, errno=error.errno or 0, advice=advice)
