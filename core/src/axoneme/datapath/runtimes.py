# SPDX-License-Identifier: Apache-2.0
"""What the kernel counts of programs that run: how often, and for how long."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from axoneme._bpf import ffi, lib

from ._kernel import check

if TYPE_CHECKING:
    from collections.abc import Iterator


@frozen
class Runs:
    """Runs of a program while they were counted, and the nanoseconds of all of them."""

    count: int
    nanoseconds: int


@contextmanager
def counted_runs() -> Iterator[None]:
    """Have the kernel count runs meanwhile, of every program on the machine: 20 ns a run or so."""
    fd = check(lib.bpf_enable_stats(lib.BPF_STATS_RUN_TIME))
    try:
        yield
    finally:
        os.close(fd)


def runs_of(program: int) -> Runs:
    """What the kernel has counted of a program, by its file descriptor."""
    info = ffi.new("struct axn_prog_info *")
    check(lib.axn_prog_info(program, info, ffi.NULL, 0))
    return Runs(info.run_count, info.run_time_ns)
