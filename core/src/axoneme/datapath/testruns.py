# SPDX-License-Identifier: Apache-2.0
"""Run a loaded program on a packet of ours (BPF_PROG_TEST_RUN): real, and nothing leaves.

A probe is such a run with core's two marks in its context (see <axoneme/probe.h>), or at XDP with
the stamp as metadata: it changes no map, and every lane's answer is recorded.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING

from attrs import frozen

from axoneme._bpf import ffi, lib

from ._kernel import check
from .images import shared_codec, trunk_object

if TYPE_CHECKING:
    from .maps import Maps

PROBE_MARK = 0xA5E00000
PROBE_STAMP = 0x41786F6E656D6501
_SKB_BYTES = 192  # sizeof(struct __sk_buff) in the headers of kernel 6.1
_MARK_AT, _IFINDEX_AT, _STAMP_AT = 8, 40, 184
_GROWTH = 512
_XDP_CONTEXT = struct.Struct("=6I")  # struct xdp_md: data, data_end, data_meta and three that are 0


class Verdict(IntEnum):
    """enum axn_verdict."""

    NEXT = 0
    PASS = 1
    DROP = 2
    REDIRECT = 3
    TO_PROXY = 4


_VERDICTS = frozenset(Verdict)
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


@frozen
class Step:
    """One lane's answer in a probe; nanoseconds since the trunk began.

    The verdict is the low byte of what the lane returned: a number that is none drops the packet.
    `rule` is the number of the policy's rule that decided so far, 0 for none.
    """

    trunk: str
    direction: int
    stage: str
    lane: int
    verdict: Verdict | int
    reason: int
    nanoseconds: int
    rule: int = 0


def run_tc(
    program: int,
    packet: bytes,
    *,
    ifindex: int = 1,
    mark: int = 0,
    stamp: int = 0,
    repeat: int = 1,
) -> TestRun:
    """Run a tc program as if the packet had come by a device of this network namespace.

    The kernel does not restore the packet between repeats.
    """
    context = bytearray(_SKB_BYTES)
    struct.pack_into("<I", context, _MARK_AT, mark)
    struct.pack_into("<I", context, _IFINDEX_AT, ifindex)
    struct.pack_into("<Q", context, _STAMP_AT, stamp)
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


def probe_tc(
    maps: Maps, program: int, packet: bytes, *, ifindex: int = 1, slot: int = 0
) -> tuple[TestRun, tuple[Step, ...]]:
    """Run a tc trunk as a probe: its verdict, and what each lane answered."""
    result = run_tc(program, packet, ifindex=ifindex, mark=PROBE_MARK | slot, stamp=PROBE_STAMP)
    return result, _steps(maps, slot)


def probe_xdp(maps: Maps, program: int, packet: bytes) -> tuple[TestRun, tuple[Step, ...]]:
    """Run the XDP trunk as a probe: its verdict, and what each lane answered."""
    result = run_xdp(program, packet, metadata=PROBE_STAMP.to_bytes(8, "little"))
    return result, _steps(maps, 0)


def _steps(maps: Maps, slot: int) -> tuple[Step, ...]:
    codec = shared_codec()
    buffer = bytearray(codec.SIZES["struct probe"])
    view = ffi.from_buffer(buffer)
    key = ffi.new("uint32_t *", slot)
    check(lib.bpf_map_lookup_elem(maps.descriptor("probes"), key, view))
    probe = codec.ffi.from_buffer("struct probe *", buffer)
    btf = trunk_object("tc").declarations.btf
    stages = {n: s.removeprefix("AXN_STAGE_") for s, n in btf.enumerators("axn_stage").items()}
    trunks = {n: t.removeprefix("AXN_").lower() for t, n in btf.enumerators("axn_trunk").items()}
    return tuple(
        Step(
            trunks[s.trunk],
            s.direction,
            stages[s.stage],
            s.lane,
            _verdict(s.verdict),
            s.reason,
            s.time - probe.started,
            s.rule,
        )
        for s in (probe.steps[i] for i in range(probe.count))
    )


def _verdict(number: int) -> Verdict | int:
    return Verdict(number) if number in _VERDICTS else number
