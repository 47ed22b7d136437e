# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path


def describe() -> dict[str, object]:
    """The machine and the tools, as far as they change the figures."""
    jit = Path("/proc/sys/net/core/bpf_jit_enable")
    return {
        "kernel": os.uname().release,
        "architecture": os.uname().machine,
        "cpus": len(os.sched_getaffinity(0)),
        "model": _model(),
        "jit": jit.read_text().strip() if jit.exists() else "",
        "retpolines": _retpolines(),
        "clang": _first_line("clang", "--version"),
        "libbpf": _libbpf(),
        "load": load(),
    }


def load() -> float:
    """The load of the last minute: others slow every figure down, ratios less than the rest."""
    return round(os.getloadavg()[0], 2)


def _model() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else ""


def _retpolines() -> str:
    path = Path("/sys/devices/system/cpu/vulnerabilities/spectre_v2")
    return path.read_text().strip() if path.exists() else ""


def _first_line(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.partition("\n")[0]


def _libbpf() -> str:
    from axoneme._bpf import ffi, lib

    return str(ffi.string(lib.libbpf_version_string()).decode()).removeprefix("v")
