# SPDX-License-Identifier: Apache-2.0
"""Probes: test runs that change nothing, and tell what each lane answered.

A probe is a run with core's two marks in its context (see <axoneme/probe.h>), or at XDP with the
stamp as metadata. What was recorded is taken out again, so that every map is as it was before.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from axoneme._bpf import ffi, lib
from axoneme.model import pack_address

from ._kernel import check
from ._layout import Record
from .events import event_record
from .images import shared_codec, trunk_object
from .testruns import CONTROL_BYTES, Verdict, run_tc, run_xdp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from axoneme.model import Address

    from .maps import Maps
    from .testruns import TestRun

PROBE_MARK = 0xA5E00000
PROBE_STAMP = 0x41786F6E656D6501
_MAP = "probes"
_VERDICTS = frozenset(Verdict)
_PACKET = "packet."
#: The heads of struct probe and struct probe_step.
_COUNT = struct.Struct("=8xI4x")
_HEAD = struct.Struct("=QQ3B5x")


@frozen
class TunnelKey:
    """What a packet in a tunnel bears: the node at the other end, and the sender's identity."""

    node: Address
    identity: int

    @property
    def control(self) -> bytes:
        """The control block of a probe that has it."""
        return self.identity.to_bytes(4, "little") + pack_address(self.node)


@frozen
class Step:
    """One lane's answer in a probe, and the nanoseconds that it took.

    The verdict is the low byte of what the lane returned: a number that is none drops the packet.
    `packet` is `struct packet` as the lane left it: its fields by their dotted names.
    """

    trunk: str
    stage: str
    lane: int
    verdict: Verdict | int
    nanoseconds: int
    packet: Mapping[str, Any] = field(repr=False)

    @property
    def direction(self) -> int:
        """0 where the packet leaves a pod or the node, 1 where it enters."""
        return int(self.packet["direction"])

    @property
    def reason(self) -> int:
        """The number of why it was dropped, where it was."""
        return int(self.packet["reason"])

    @property
    def rule(self) -> int:
        """The number of the policy's rule that decided so far, 0 for none."""
        return int(self.packet["rule"])


def probe_tc(
    maps: Maps,
    program: int,
    packet: bytes,
    *,
    ifindex: int = 1,
    slot: int = 0,
    tunnel: TunnelKey | None = None,
    repeat: int = 1,
) -> tuple[TestRun, tuple[Step, ...]]:
    """Run a tc trunk as a probe: its verdict, and what each lane answered.

    tunnel: of a packet that comes out of a tunnel, or is on its way into it. repeat: how often;
    the last run is told.
    """
    result = run_tc(
        program,
        packet,
        ifindex=ifindex,
        mark=PROBE_MARK | slot,
        stamp=PROBE_STAMP,
        control=tunnel.control if tunnel else bytes(CONTROL_BYTES),
        repeat=repeat,
    )
    return result, _take(maps, slot)


def probe_xdp(maps: Maps, program: int, packet: bytes) -> tuple[TestRun, tuple[Step, ...]]:
    """Run the XDP trunk as a probe: its verdict, and what each lane answered."""
    result = run_xdp(program, packet, metadata=PROBE_STAMP.to_bytes(8, "little"))
    return result, _take(maps, 0)


def _take(maps: Maps, slot: int) -> tuple[Step, ...]:
    """Take out what was recorded."""
    room = shared_codec().SIZES["struct probe"]
    buffer, fd, key = bytearray(room), maps.descriptor(_MAP), ffi.new("uint32_t *", slot)
    with ffi.from_buffer(buffer) as view:
        check(lib.bpf_map_lookup_elem(fd, key, view))
    check(lib.bpf_map_update_elem(fd, key, bytes(room), 0))
    return tuple(_steps(buffer))


def _steps(buffer: bytearray) -> Iterator[Step]:
    packet, stages, trunks = _packet(), _names("stage"), _names("trunk")
    (count,) = _COUNT.unpack_from(buffer)
    for number in range(count):
        at = _COUNT.size + number * (_HEAD.size + packet.size)
        begun, ended, stage, lane, verdict = _HEAD.unpack_from(buffer, at)
        left = packet.decode(buffer, at + _HEAD.size)
        answer = Verdict(verdict) if verdict in _VERDICTS else verdict
        yield Step(trunks[left["trunk"]], stages[stage], lane, answer, ended - begun, left)


@cache
def _packet() -> Record:
    """The layout of struct packet, which is the end of an event."""
    event, size = event_record(), shared_codec().ffi.sizeof("struct packet")
    fields = tuple(
        evolve(one, name=one.name.removeprefix(_PACKET), offset=one.offset + size - event.size)
        for one in event.fields
        if one.name.startswith(_PACKET)
    )
    return Record("struct packet", size, fields)


@cache
def _names(kind: str) -> Mapping[int, str]:
    """The names of core's stages or trunks, by number."""
    prefix = "AXN_STAGE_" if kind == "stage" else "AXN_"
    found = trunk_object("tc").declarations.btf.enumerators(f"axn_{kind}")
    return {number: name.removeprefix(prefix).lower() for name, number in found.items()}
