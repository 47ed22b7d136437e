# SPDX-License-Identifier: Apache-2.0
"""Capabilities of the calling thread, and of it alone: capset(2)."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION_3 = 0x20080522
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}[os.uname().machine]
NUMBERS = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}


def keep_only(names: Iterable[str]) -> None:
    """Give up all capabilities but these, for good."""
    kept = sum(1 << NUMBERS[name] for name in names)
    halves = [kept & 0xFFFFFFFF, kept >> 32]
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(*(value for half in halves for value in (half, half, half)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_SYS_CAPSET, header, data) < 0:
        raise OSError(ctypes.get_errno(), "capset")
