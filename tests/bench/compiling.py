# SPDX-License-Identifier: Apache-2.0
"""Programs in C that the benchmarks need, compiled when they run."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.bench.results import BenchError

from axoneme_sdk.compile import compile_object

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent


@contextmanager
def compiled_object(name: str) -> Iterator[Path]:
    """bpf/<name>.bpf.c as an eBPF object."""
    with TemporaryDirectory(prefix="axoneme-bench-") as folder:
        source = shutil.copy(_HERE / "bpf" / f"{name}.bpf.c", folder)
        yield compile_object(Path(source))


@contextmanager
def compiled_program(name: str) -> Iterator[Path]:
    """csrc/<name>.c as a program."""
    with TemporaryDirectory(prefix="axoneme-bench-") as folder:
        program = Path(folder) / name
        source = _HERE / "csrc" / f"{name}.c"
        command = ["gcc", "-O2", "-Wall", "-Werror", "-o", str(program), str(source)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise BenchError(f"{name}.c does not compile: {result.stderr}")
        yield program
