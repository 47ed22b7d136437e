# SPDX-License-Identifier: Apache-2.0
"""Compile eBPF C into objects that are the same bytes wherever they are built."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from . import INCLUDE

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".bpf.c"


class BuildError(Exception):
    """A source does not compile, or the object breaks a rule: the message says which and where."""


def compile_object(source: Path) -> Path:
    """Compile <name>.bpf.c to <name>.bpf.o beside it.

    The compiler is clang, or what AXONEME_CLANG names.

    Raises:
        BuildError: with the compiler's messages.
    """
    target = source.with_suffix(".o")
    try:
        result = subprocess.run(
            [*_command(), "-c", source.name, "-o", target.name],
            cwd=source.parent,  # relative names only, so that no path gets into the debug sections
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise BuildError(
            f"{error.filename} was not found: install clang and libbpf-dev, or set AXONEME_CLANG"
        ) from error
    if result.returncode:
        raise BuildError(f"{source.name}: {_explain(result.stderr)}")
    return target


def _command() -> list[str]:
    return [
        os.environ.get("AXONEME_CLANG", "clang"),
        "-target",
        "bpf",
        "-O2",
        "-g",
        "-mcpu=v3",
        "-Wall",
        "-Wextra",
        "-Wno-unused-parameter",
        "-Werror",
        f"-I{INCLUDE}",
        f"-I/usr/include/{os.uname().machine}-linux-gnu",  # <asm/types.h> on Debian
        f"-ffile-prefix-map={INCLUDE}=sdk",
        "-fdebug-compilation-dir=.",
    ]


def _explain(errors: str) -> str:
    if "'bpf/bpf_helpers.h' file not found" in errors:
        return f"{errors}install libbpf-dev (Debian), which has bpf/bpf_helpers.h"
    return errors
