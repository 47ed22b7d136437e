# SPDX-License-Identifier: Apache-2.0
"""Counters are the truth: each packet is counted once, with its bytes, where it was decided."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.packets.stub import TO_ENDPOINT

from axoneme.datapath import Verdict
from axoneme.testing.packets import ARP, TCP, UDP, Ethernet, IPv4

if TYPE_CHECKING:
    from tests.packets.stub import Stub

V4 = IPv4("10.0.0.1", "10.0.0.2")
PACKETS = [bytes(Ethernet() / V4 / UDP(1, 2) / bytes(size)) for size in (0, 1, 100, 1400)]
BYTES = sum(map(len, PACKETS))
TRUNKS = ["from_pod", "to_pod", "from_uplink", "to_uplink", "xdp_ingress"]


class Counted:
    """What was counted since this was made."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._before = self._read()

    def _read(self) -> Counter[tuple[str, str, str]]:
        counts = Counter[tuple[str, str, str]]()
        for count in self._stub.datapath.counts():
            counts[count.trunk, count.verdict.name, "packets"] = count.packets
            counts[count.trunk, count.verdict.name, "bytes"] = count.bytes
        return counts

    def since(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Packets and bytes by trunk and verdict, those that are not zero."""
        more = self._read() - self._before
        places = {(trunk, verdict) for trunk, verdict, _ in more}
        return {place: (more[*place, "packets"], more[*place, "bytes"]) for place in places}


@pytest.fixture
def counted(stub: Stub) -> Counted:
    """What a test counts."""
    return Counted(stub)


@pytest.mark.parametrize("name", TRUNKS)
@pytest.mark.parametrize(
    ("verdict", "counted_as"),
    [(0, "PASS"), (1, "PASS"), (2, "DROP"), (3, "REDIRECT"), (4, "DROP"), (77, "DROP")],
)
def test_every_packet_is_counted_once_with_its_bytes(
    stub: Stub, counted: Counted, name: str, verdict: int, counted_as: str
) -> None:
    """NEXT from all stages is a PASS, and what is no verdict a DROP."""
    stub.answer("policy", verdict, out_ifindex=1)
    stub.answer("xdp_filter", verdict, out_ifindex=1)
    for packet in PACKETS:
        stub.run(name, packet)
    assert counted.since() == {(name, counted_as): (len(PACKETS), BYTES)}


def test_drops_are_counted_by_reason_too(stub: Stub, counted: Counted) -> None:
    """The reasons' packets and bytes add up to those of the verdict DROP."""
    for reason in (132, 133, 133):
        stub.answer("admit", Verdict.DROP, reason=reason)
        for packet in PACKETS:
            stub.run("from_pod", packet)
    found = {d.reason.name: (d.packets, d.bytes) for d in stub.datapath.drops()}
    assert found == {"invalid_source_ip": (4, BYTES), "policy_denied": (8, 2 * BYTES)}
    assert counted.since() == {("from_pod", "DROP"): (12, 3 * BYTES)}


def test_a_redirect_into_a_pod_is_counted_once(stub: Stub, counted: Counted) -> None:
    """The pod's stages that run inline count nothing of their own."""
    stub.answer("forward", Verdict.REDIRECT, out_ifindex=1, flags=TO_ENDPOINT)
    stub.run("from_pod", PACKETS[0])
    assert counted.since() == {("from_pod", "REDIRECT"): (1, len(PACKETS[0]))}


def test_what_the_pods_side_drops_inline_is_counted_at_its_trunk(
    stub: Stub, counted: Counted
) -> None:
    """The sender's trunk counts it no more."""
    stub.answer("forward", Verdict.REDIRECT, out_ifindex=1, flags=TO_ENDPOINT)
    stub.answer("policy", Verdict.DROP, reason=133, skip=1)
    stub.run("from_pod", PACKETS[0])
    assert counted.since() == {("to_pod", "DROP"): (1, len(PACKETS[0]))}


def test_what_does_not_parse_is_counted(stub: Stub, counted: Counted) -> None:
    """A packet that no stage sees is a drop like others."""
    packet = bytes(Ethernet() / V4 / TCP(1, 2))[:40]
    stub.run("from_pod", packet)
    assert counted.since() == {("from_pod", "DROP"): (1, 40)}


def test_what_is_not_ip_is_counted(stub: Stub, counted: Counted) -> None:
    """ARP is a PASS."""
    packet = bytes(Ethernet() / ARP("10.0.0.1", "10.0.0.2"))
    stub.run("from_pod", packet)
    assert counted.since() == {("from_pod", "PASS"): (1, len(packet))}


def test_a_repeated_run_counts_each_time(stub: Stub, counted: Counted) -> None:
    """A thousand runs of one packet are a thousand packets."""
    stub.run("to_pod", PACKETS[1], repeat=1000)
    assert counted.since() == {("to_pod", "PASS"): (1000, 1000 * len(PACKETS[1]))}
