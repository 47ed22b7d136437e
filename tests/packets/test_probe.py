# SPDX-License-Identifier: Apache-2.0
"""Probes: the real programs say what they would do, and nothing is changed by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.packets.dumps import dump
from tests.packets.stub import TO_ENDPOINT, always_run

from axoneme.datapath import Verdict
from axoneme.datapath.probes import PROBE_MARK, PROBE_STAMP, probe_tc
from axoneme.datapath.testruns import run_tc, run_xdp
from axoneme.testing.packets import ARP, TCP, Ethernet, IPv4, IPv6

if TYPE_CHECKING:
    from tests.packets.stub import Stub

PACKET = bytes(Ethernet() / IPv4("10.0.0.1", "10.0.0.2") / TCP(40000, 443))
MAPPED = bytes(Ethernet() / IPv6("::ffff:10.0.0.1", "fd00::2") / TCP(40000, 443))
FOREIGN = bytes(Ethernet() / ARP("10.0.0.1", "10.0.0.2"))
TRUNKS = ["from_pod", "to_pod", "from_uplink", "to_uplink", "xdp_ingress"]
STAMP = PROBE_STAMP.to_bytes(8, "little")


def programs(stub: Stub) -> dict[str, int]:
    """The file descriptor of each trunk."""
    return {name: program.fd for name, program in stub.datapath.assembly.programs.items()}


@pytest.mark.parametrize("name", TRUNKS)
@pytest.mark.parametrize("verdict", [0, 1, 2, 3, 4, 99])
@pytest.mark.parametrize("packet", [PACKET, MAPPED, FOREIGN], ids=["TCP", "mapped", "ARP"])
def test_a_probe_changes_no_map(stub: Stub, name: str, verdict: int, packet: bytes) -> None:
    """Byte by byte, all maps are what they were; what was recorded has been taken out again."""
    stub.run(name, PACKET)
    for stage in ("policy", "xdp_filter"):
        stub.answer(stage, verdict, reason=133, out_ifindex=1)
    before = dump(stub.datapath)
    assert before["counters"]
    stub.probe(name, packet)
    assert dump(stub.datapath) == before


@pytest.mark.parametrize("name", TRUNKS)
def test_a_probe_records_every_lanes_answer_in_order(stub: Stub, name: str) -> None:
    """Each step has its stage, trunk and lane, and the time that it took."""
    _, steps = stub.probe(name, PACKET)
    assert tuple(step.stage for step in steps) == always_run(name)
    assert {(step.trunk, step.lane, step.verdict) for step in steps} == {(name, 0, Verdict.NEXT)}
    assert all(0 < step.nanoseconds < 1_000_000 for step in steps)


@pytest.mark.parametrize(
    ("name", "stage", "next_stage"),
    [("from_pod", "policy", "proxy"), ("xdp_ingress", "xdp_filter", "xdp_balance")],
)
def test_a_probe_ends_where_a_packet_would(
    stub: Stub, name: str, stage: str, next_stage: str
) -> None:
    """The last step is the one that decided, with its reason, and the run has its verdict."""
    stub.answer(stage, Verdict.DROP, reason=133)
    run, steps = stub.probe(name, PACKET)
    assert run.verdict == Verdict.DROP
    assert (steps[-1].stage, steps[-1].verdict, steps[-1].reason) == (stage, Verdict.DROP, 133)
    assert next_stage not in {step.stage for step in steps}


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.DROP, Verdict.REDIRECT])
@pytest.mark.parametrize("name", TRUNKS)
def test_a_probe_answers_as_a_packet_would(stub: Stub, name: str, verdict: Verdict) -> None:
    """Code and packet are those of a run that is none."""
    for stage in ("policy", "xdp_filter"):
        stub.answer(stage, verdict, out_ifindex=1)
    ran = stub.run(name, PACKET)
    probed, _ = stub.probe(name, PACKET)
    assert (probed.code, probed.verdict, probed.packet) == (ran.code, ran.verdict, ran.packet)


def test_a_probe_shows_the_pods_own_stages_where_they_run_inline(stub: Stub) -> None:
    """They are to_pod's steps, ingress, between forward and remember."""
    stub.answer("forward", Verdict.REDIRECT, out_ifindex=1, flags=TO_ENDPOINT)
    _, steps = stub.probe("from_pod", PACKET)
    found = [(step.trunk, step.stage, step.direction) for step in steps[7:]]
    inline = [("to_pod", stage, 1) for stage in ("track", "policy", "proxy", "shape")]
    assert found == [("from_pod", "forward", 0), *inline, ("from_pod", "remember", 0)]


def test_a_probe_shows_a_verdict_that_is_none_as_its_number(stub: Stub) -> None:
    """The packet is dropped, and the number says what the lane returned."""
    stub.answer("policy", 77)
    run, steps = stub.probe("to_pod", PACKET)
    assert (run.verdict, steps[-1].verdict) == (Verdict.DROP, 77)


@pytest.mark.parametrize("packet", [MAPPED, FOREIGN], ids=["mapped", "ARP"])
def test_a_probe_that_no_stage_sees_has_no_steps(stub: Stub, packet: bytes) -> None:
    """Neither has it those of the probe before."""
    stub.probe("from_pod", PACKET)
    _, steps = stub.probe("from_pod", packet)
    assert steps == ()


def test_probes_in_two_slots_do_not_meet(stub: Stub) -> None:
    """Each slot keeps the steps of its own last probe."""
    maps, program = stub.datapath.maps, programs(stub)
    _, egress = stub.call(probe_tc, maps, program["to_uplink"], PACKET, slot=5)
    _, ingress = stub.call(probe_tc, maps, program["from_uplink"], PACKET, slot=15)
    assert {step.trunk for step in egress} == {"to_uplink"}
    assert {step.trunk for step in ingress} == {"from_uplink"}


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"mark": PROBE_MARK},
        {"stamp": PROBE_STAMP},
        {"mark": PROBE_MARK ^ 0x100, "stamp": PROBE_STAMP},
        {"mark": PROBE_MARK, "stamp": PROBE_STAMP ^ 1},
        {"mark": PROBE_MARK ^ 0x8000_0000, "stamp": PROBE_STAMP},
    ],
    ids=["none", "mark", "stamp", "another mark", "another stamp", "another high bit"],
)
@pytest.mark.parametrize("name", TRUNKS[:4])
def test_neither_mark_nor_stamp_alone_makes_a_probe(
    stub: Stub, name: str, context: dict[str, int]
) -> None:
    """A packet with less than both exactly is counted, and records nothing."""
    before = dump(stub.datapath)
    stub.call(run_tc, programs(stub)[name], PACKET, **context)
    after = dump(stub.datapath)
    assert after["counters"] != before["counters"]
    assert after["probes"] == before["probes"]


@pytest.mark.parametrize("metadata", [b"", bytes(8), STAMP[:4], STAMP[::-1]], ids=bytes.hex)
def test_other_metadata_makes_no_probe_at_xdp(stub: Stub, metadata: bytes) -> None:
    """Metadata of other lengths and values belongs to others."""
    before = dump(stub.datapath)
    run = stub.call(run_xdp, programs(stub)["xdp_ingress"], PACKET, metadata=metadata)
    after = dump(stub.datapath)
    assert run.packet == PACKET
    assert after["counters"] != before["counters"]
    assert after["probes"] == before["probes"]


def test_a_packet_that_holds_the_stamp_is_no_probe(stub: Stub) -> None:
    """What is in the packet counts for nothing."""
    before = dump(stub.datapath)
    stub.run("xdp_ingress", STAMP + PACKET)
    stub.run("from_pod", PACKET + STAMP)
    assert dump(stub.datapath)["probes"] == before["probes"]
