# SPDX-License-Identifier: Apache-2.0
"""Debian's packages: find the newest kernel of a series, download, unpack. Nothing is installed."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from .errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: The metapackage that follows each kernel series; both are in Debian 12 and its security updates.
METAPACKAGES = {"6.1": "linux-image-amd64", "6.12": "linux-image-6.12-amd64"}

BUSYBOX = "busybox-static"


def resolve(series: str) -> str:
    """Name the concrete kernel package of a series, reading apt's lists again if they lack it."""
    for refresh in (False, True):
        if refresh:
            update()
        depends = _run(["apt-cache", "depends", METAPACKAGES[series]]).stdout
        if package := concrete_package(depends, series):
            return package
    raise SetupError(
        f"apt knows no kernel {series}: {METAPACKAGES[series]} depends on no package named "
        f"linux-image-{series}.*; enable Debian 12's main and security archives in /etc/apt"
    )


def concrete_package(depends: str, series: str) -> str | None:
    """Pick the kernel package of a series out of what `apt-cache depends` printed."""
    for line in depends.splitlines():
        relation, _, package = line.strip().partition(": ")
        if relation.lstrip("|") == "Depends" and package.startswith(f"linux-image-{series}."):
            return package
    return None


def update() -> None:
    """Read the archives' lists again: they are missing, or name a version that is gone."""
    result = _run(["apt-get", "update", "-qq"])
    if result.returncode:
        raise SetupError(f"apt-get update failed: {result.stderr.strip()}")


def unpack(package: str, into: Path) -> None:
    """Download a package and unpack its files below a directory."""
    into.mkdir()
    # Root's cache is closed to apt's own user, so that apt would warn that it downloads as root.
    result = _run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package], into)
    debs = list(into.glob(f"{package}_*.deb"))
    if result.returncode or not debs:
        raise SetupError(f"apt-get cannot download {package}: {result.stderr.strip()}")
    result = _run(["dpkg", "-x", debs[0].name, "."], into)
    if result.returncode:
        raise SetupError(f"dpkg cannot unpack {debs[0].name}: {result.stderr.strip()}")
    debs[0].unlink()


def _run(command: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise SetupError(f"{command[0]} is not here: the kernels come from a Debian 12") from error
