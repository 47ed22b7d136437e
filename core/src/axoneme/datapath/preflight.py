# SPDX-License-Identifier: Apache-2.0
"""Is this a place where the datapath can run: kernel, privileges, bpffs."""

from __future__ import annotations

import os
from pathlib import Path

from axoneme._bpf import ffi, lib
from axoneme.errors import DatapathError, NotSupported

from .features import KERNEL_FLOOR, kernel_version

#: Two instructions: return 0.
_EMPTY_PROGRAM = bytes.fromhex("b7000000000000009500000000000000")
_MOUNTINFO = Path("/proc/thread-self/mountinfo")


def check_kernel(release: str | None = None) -> None:
    """Raise NotSupported on a kernel below the floor."""
    if kernel_version(release) < KERNEL_FLOOR:
        floor = ".".join(map(str, KERNEL_FLOOR))
        raise NotSupported(
            f"this is kernel {release or os.uname().release}: run a newer one",
            feature="kernel",
            since=floor,
        )


def check_privileges() -> None:
    """Raise DatapathError if this process may not load a program of the kind that trunks are."""
    fd = lib.axn_prog_load(
        lib.BPF_PROG_TYPE_SCHED_CLS, 0, b"preflight", b"GPL", _EMPTY_PROGRAM, 2, ffi.NULL, 0
    )
    if fd < 0:
        raise DatapathError(
            f"the kernel lets this process load no programs ({os.strerror(-fd)}): run as root, "
            "or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
        )
    os.close(fd)


def check_bpffs(directory: Path) -> None:
    """Raise DatapathError unless the directory lies on a mounted bpf file system."""
    best, kind, place = "", "", directory.resolve()
    for line in _MOUNTINFO.read_text().splitlines():
        left, _, right = line.partition(" - ")
        point = left.split()[4]
        if place.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, right.split()[0]
    if kind != "bpf":
        raise DatapathError(
            f"{directory} is not on a bpf file system: mount -t bpf bpf {directory}"
        )


def preflight(bpffs: Path) -> None:
    """Raise the first reason for which the datapath cannot run here."""
    check_kernel()
    check_privileges()
    check_bpffs(bpffs)
