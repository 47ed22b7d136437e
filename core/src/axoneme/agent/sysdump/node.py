# SPDX-License-Identifier: Apache-2.0
"""The node beside us: its kernel, its network, its settings."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SECONDS: Final = 20
#: What iproute2 knows, by the file that it is for.
COMMANDS: Final = {
    "network/links.json": ("ip", "-d", "-s", "-j", "link", "show"),
    "network/addresses.json": ("ip", "-j", "address", "show"),
    "network/routes4.json": ("ip", "-j", "-4", "route", "show", "table", "all"),
    "network/routes6.json": ("ip", "-j", "-6", "route", "show", "table", "all"),
    "network/rules4.json": ("ip", "-j", "-4", "rule", "show"),
    "network/rules6.json": ("ip", "-j", "-6", "rule", "show"),
    "network/neighbours.json": ("ip", "-j", "neighbour", "show"),
    "network/bridge.json": ("bridge", "-j", "fdb", "show"),
    "network/qdiscs.txt": ("tc", "-s", "qdisc", "show"),
}
_SYSCTLS: Final = (
    "kernel/unprivileged_bpf_disabled",
    "net/core/bpf_jit_*",
    "net/core/netdev_*",
    "net/core/*mem_*",
    "net/ipv4/ip_forward",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/conf/*/*",
    "net/ipv6/conf/*/*",
    "net/ipv*/neigh/default/*",
    "net/netfilter/nf_conntrack_*",
)


def run(command: Sequence[str]) -> str:
    """What a command prints.

    Raises:
        OSError: it is not installed.
        RuntimeError: it fails, or does not end.
    """
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f"there is no {command[0]}: install iproute2")
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_SECONDS, errors="replace"
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def sysctls() -> str:
    """The settings of this network namespace's kernel that packets or programs care for."""
    return "".join(_sysctls())


def _sysctls() -> Iterator[str]:
    root = Path("/proc/sys")
    for pattern in _SYSCTLS:
        for path in sorted(root.glob(pattern)):
            name = str(path.relative_to(root)).replace("/", ".")
            try:
                yield f"{name} = {path.read_text().strip()}\n"
            except OSError as error:
                yield f"# {name}: {error.strerror}\n"


def machine() -> dict[str, Any]:
    """Kernel, distribution, memory and Python."""
    from axoneme.datapath.sizes import machine_memory

    return {
        "kernel": list(os.uname()),
        "os": platform.freedesktop_os_release(),
        "cpus": os.cpu_count(),
        "memory": machine_memory(),
        "python": sys.version,
        "uptime": Path("/proc/uptime").read_text().split()[0],
    }


def packages() -> dict[str, str]:
    """The distributions that are installed beside us, with their versions."""
    found = {one.metadata["Name"]: one.version for one in distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def listing(directory: Path) -> str:
    """What is in a directory, as `ls -lR` shows it: some files say all by their names or links."""
    lines = []
    for path in sorted(directory.rglob("*")):
        stat = path.lstat()
        target = f" -> {path.readlink()}" if path.is_symlink() else ""
        written = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stat.st_mtime))
        name = path.relative_to(directory)
        lines.append(f"{stat.st_mode:06o} {stat.st_size:>10} {written} {name}{target}\n")
    return "".join(lines)
