# SPDX-License-Identifier: Apache-2.0
"""Describe axoneme._bpf to cffi: libbpf and the loops over maps, without shared dependencies."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cffi import FFI

SOURCES = (
    "calls.c",
    "columns.c",
    "events.c",
    "maps.c",
    "pack.c",
    "rows.c",
    "shims.c",
    "syscalls.c",
    "walk.c",
)
DECLARATIONS = (
    "constants.cdef",
    "libbpf.cdef",
    "kernel.h",
    "rows.h",
    "maps.h",
    "pack.h",
    "events.h",
)
ARCHIVES = ("libbpf.a", "libelf.a", "libz.a")


def archive(name: str) -> str:
    """Return where the C compiler finds a static library."""
    command = ["cc", f"-print-file-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if path == name:
        raise SystemExit(f"{name} is missing: apt install libbpf-dev libelf-dev zlib1g-dev")
    return path


ffi = FFI()
for declarations in DECLARATIONS:
    ffi.cdef(Path("csrc", declarations).read_text())
ffi.cdef('extern "Python" void axn_log(int level, char *text);')
ffi.set_source(
    "axoneme._bpf",
    """
    #include <linux/if_link.h>
    #include <bpf/bpf.h>
    #include <bpf/libbpf.h>
    #include "axn.h"
    """,
    sources=[f"csrc/{name}" for name in SOURCES],
    depends=[str(path) for path in sorted(Path("csrc").glob("*.h"))],
    include_dirs=["csrc"],
    extra_objects=[archive(name) for name in ARCHIVES],
    # Debug sections would name the directory of the build, and no two wheels would be the same.
    extra_compile_args=["-O2", "-g0", "-std=gnu11", "-Wall", "-fvisibility=hidden"],
    extra_link_args=["-Wl,--exclude-libs,ALL", "-Wl,-z,now"],
    define_macros=[("Py_LIMITED_API", "0x030b0000")],
    py_limited_api=True,
)
