# SPDX-License-Identifier: Apache-2.0
"""Run a loaded program on a packet of ours (BPF_PROG_TEST_RUN): real, and nothing leaves."""

from __future__ import annotations

import struct
from enum import IntEnum

from attrs import frozen

from axoneme._bpf import ffi, lib

from ._kernel import check

_SKB_BYTES = 192  # sizeof(struct __sk_buff) in the headers of kernel 6.1
_MARK_AT, _IFINDEX_AT, _CONTROL_AT, _STAMP_AT = 8, 40, 48, 184
#: What a tc program may keep with a packet for itself: the words of its control block.
CONTROL_BYTES = 20
_GROWTH = 512
_XDP_CONTEXT = struct.Struct("=6I")  # struct xdp_md: data, data_end, data_meta and three that are 0


class Verdict(IntEnum):
    """enum axn_verdict."""

    NEXT = 0
    PASS = 1
    DROP = 2
    REDIRECT = 3
    TO_PROXY = 4


#: What a tc program returns for each verdict: TC_ACT_UNSPEC, TC_ACT_SHOT, TC_ACT_REDIRECT.
_TC = {0xFFFFFFFF: Verdict.PASS, 2: Verdict.DROP, 7: Verdict.REDIRECT}
#: XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT.
_XDP = {1: Verdict.DROP, 2: Verdict.PASS, 3: Verdict.REDIRECT, 4: Verdict.REDIRECT}


@frozen
class TestRun:
    """What came out: the program's code, the verdict it stands for, the packet, ns a run."""

    __test__ = False

    code: int
    verdict: Verdict
    packet: bytes
    nanoseconds: int


def run_tc(
    program: int,
    packet: bytes,
    *,
    ifindex: int = 1,
    mark: int = 0,
    stamp: int = 0,
    control: bytes = bytes(CONTROL_BYTES),
    repeat: int = 1,
) -> TestRun:
    """Run a tc program as if the packet had come by a device of this network namespace.

    The kernel does not restore the packet between repeats.
    """
    context = bytearray(_SKB_BYTES)
    struct.pack_into("<I", context, _MARK_AT, mark)
    struct.pack_into("<I", context, _IFINDEX_AT, ifindex)
    struct.pack_into("<Q", context, _STAMP_AT, stamp)
    context[_CONTROL_AT : _CONTROL_AT + CONTROL_BYTES] = control
    code, out, duration = run_program(program, packet, bytes(context), repeat)
    return TestRun(code, _TC.get(code, Verdict.NEXT), out, duration)


def run_xdp(program: int, packet: bytes, *, metadata: bytes = b"", repeat: int = 1) -> TestRun:
    """Run an XDP program, with metadata before the packet where given."""
    context = _XDP_CONTEXT.pack(len(metadata), len(metadata + packet), 0, 0, 0, 0)
    code, out, duration = run_program(
        program, metadata + packet, context if metadata else b"", repeat
    )
    return TestRun(code, _XDP.get(code, Verdict.NEXT), out[len(metadata) :], duration)


def run_program(program: int, packet: bytes, context: bytes, repeat: int) -> tuple[int, bytes, int]:
    """Run a program on a packet and a context: what it returned, the packet, ns of one run."""
    room = len(packet) + _GROWTH
    out, size = ffi.new("char[]", room), ffi.new("uint32_t *", room)
    retval, duration = ffi.new("uint32_t *"), ffi.new("uint32_t *")
    check(
        lib.axn_test_run(
            program,
            packet,
            len(packet),
            out,
            size,
            context or ffi.NULL,
            len(context),
            ffi.NULL,
            ffi.NULL,
            repeat,
            0,
            retval,
            duration,
        )
    )
    return retval[0], bytes(ffi.buffer(out, size[0])), duration[0]
