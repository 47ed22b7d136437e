# SPDX-License-Identifier: Apache-2.0
"""admit: what a pod may send, by its source address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from axoneme.datapath import Verdict
from axoneme.host import entry_points
from axoneme.testing import Case, Node, fake_plugin, plugin_codec, plugin_object
from axoneme.testing.packets import ICMP, TCP, UDP, Fragment, ICMPv6, IPv4, IPv6, frame
from axoneme.testing.pipelines import Pipeline

if TYPE_CHECKING:
    from axoneme.testing import Packet

V4, V6 = "10.1.0.1", "fd00:10:1::1"
OUTSIDE4, OUTSIDE6 = "203.0.113.7", "2001:db8::7"
REPORT, DONE, SOLICIT_ROUTER, ADVERTISE_ROUTER = 131, 132, 133, 134
SOLICIT, ADVERTISE, REPORT_2 = 135, 136, 143


def message(source: str, kind: int, target: str = "ff02::1") -> Packet:
    """An ICMPv6 message of the link."""
    return frame(IPv6(source, target, hop_limit=255), ICMPv6(kind), bytes(16))


def case(description: str, packet: Packet, verdict: Verdict, reason: str = "") -> Case:
    """A row of the table."""
    return Case(description, packet, verdict, reason)


def spoofed(description: str, packet: Packet) -> Case:
    """A packet that is dropped for its source address."""
    return case(description, packet, Verdict.DROP, "invalid_source_ip")


CASES = [
    case("its IPv4 address", frame(IPv4(V4, OUTSIDE4), TCP(1, 2)), Verdict.PASS),
    case("its IPv6 address", frame(IPv6(V6, OUTSIDE6), UDP(1, 2)), Verdict.PASS),
    case("its address, any protocol", frame(IPv4(V4, OUTSIDE4, 47), b"gre"), Verdict.PASS),
    case(
        "a later fragment of its own",
        frame(IPv4(V4, OUTSIDE4, 17, offset=64), b"data"),
        Verdict.PASS,
    ),
    case(
        "a later IPv6 fragment of its own",
        frame(IPv6(V6, OUTSIDE6), Fragment(64, next_header=17), b"data"),
        Verdict.PASS,
    ),
    spoofed("another pod's IPv4 address", frame(IPv4("10.1.0.2", OUTSIDE4), TCP(1, 2))),
    spoofed("another pod's IPv6 address", frame(IPv6("fd00:10:1::2", OUTSIDE6), TCP(1, 2))),
    spoofed("an address of nobody", frame(IPv4(OUTSIDE4, "10.1.0.2"), UDP(1, 2))),
    spoofed("an IPv6 address of nobody", frame(IPv6(OUTSIDE6, "fd00:10:1::2"), UDP(1, 2))),
    spoofed("the node's address", frame(IPv4("172.31.0.1", OUTSIDE4), TCP(1, 2))),
    spoofed("the gateway's address", frame(IPv4("169.254.1.1", OUTSIDE4), TCP(1, 2))),
    spoofed("no IPv4 address", frame(IPv4("0.0.0.0", "255.255.255.255"), UDP(68, 67))),
    spoofed("the broadcast address", frame(IPv4("255.255.255.255", V4), UDP(1, 2))),
    spoofed("a loopback address", frame(IPv4("127.0.0.1", "10.1.0.2"), UDP(1, 2))),
    spoofed("a spoofed fragment", frame(IPv4("10.1.0.2", OUTSIDE4, 17, offset=64), b"data")),
    spoofed("a spoofed echo request", frame(IPv4("10.1.0.2", OUTSIDE4), ICMP.echo(1))),
    *(
        case(f"link-local ICMPv6 of type {kind}", message("fe80::5", kind), Verdict.PASS)
        for kind in (REPORT, DONE, REPORT_2, SOLICIT_ROUTER, SOLICIT, ADVERTISE)
    ),
    case("duplicate address detection", message("::", SOLICIT), Verdict.PASS),
    case("a first report, without an address", message("::", REPORT_2), Verdict.PASS),
    case("a solicitation from its own address", message(V6, SOLICIT), Verdict.PASS),
    spoofed("a router's advertisement", message("fe80::5", ADVERTISE_ROUTER)),
    spoofed("a redirect", message("fe80::5", 137)),
    spoofed("a link-local echo request", message("fe80::5", 128)),
    spoofed("a link-local connection", frame(IPv6("fe80::5", OUTSIDE6), TCP(1, 2))),
    spoofed("a solicitation from another pod's address", message("fd00:10:1::2", SOLICIT)),
    spoofed("an address beside the link-local ones", message("fec0::5", SOLICIT)),
    spoofed(
        "a later fragment of a solicitation",
        frame(IPv6("fe80::5", "ff02::1"), Fragment(64, next_header=58), bytes([SOLICIT] * 16)),
    ),
    spoofed("ICMP of type 135", frame(IPv4("10.1.0.2", OUTSIDE4), ICMP(SOLICIT))),
]


#: What tells the later fragments' ports.
FIRST_FRAGMENTS = [
    frame(IPv4(V4, OUTSIDE4, more_fragments=True), UDP(1, 2), bytes(56)),
    frame(IPv6(V6, OUTSIDE6), Fragment(0, True, next_header=17), UDP(1, 2), bytes(56)),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_a_pod_speaks_with_its_own_addresses_only(pair, row):
    """What is not its own is dropped as invalid source; the link's own messages pass."""
    for packet in FIRST_FRAGMENTS:
        pair.run(packet)
    assert pair.reason(row.packet) == row.reason
    assert pair.run(row.packet).verdict == row.verdict


@pytest.mark.parametrize("source", [V4, "10.1.0.2"])
def test_an_address_counts_at_its_own_device_only(pair, source):
    """The second pod may not use the first one's address, and may use its own."""
    packet = bytes(frame(IPv4(source, OUTSIDE4), TCP(1, 2)))
    run = pair.pipeline.run("from_pod", packet, pod=pair.two)
    assert run.verdict == (Verdict.PASS if source == "10.1.0.2" else Verdict.DROP)


def test_an_address_that_is_gone_with_its_pod_is_refused():
    """What was admitted is spoofed from the moment that the endpoint is removed."""
    packet = bytes(frame(IPv4(V4, OUTSIDE4), TCP(1, 2)))
    with Node() as node, Pipeline(node, ["tc"]) as pipeline:
        pod = pipeline.add_pod()
        assert pipeline.run("from_pod", packet, pod=pod).verdict == Verdict.PASS
        node.call(pipeline.engine.remove_endpoint, pod.number)
        assert pipeline.run("from_pod", packet, pod=pod).verdict == Verdict.DROP


def test_without_admit_any_address_passes():
    """The object can be off."""
    packet = bytes(frame(IPv4("10.1.0.2", OUTSIDE4), TCP(1, 2)))
    with Node() as node, Pipeline(node, ["tc"], "[tc]\nadmit = false") as pipeline:
        assert pipeline.run("from_pod", packet, pod=pipeline.add_pod()).verdict == Verdict.PASS


SPY = """
    #include <axoneme/plugin.h>

    struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, struct packet);
    } spy_seen SEC(".maps");

    AXN_STAGE(balance)
    {
        __u32 key = 0;
        struct packet *seen = bpf_map_lookup_elem(&spy_seen, &key);

        if (seen)
            *seen = *packet;
        return AXN_NEXT;
    }
"""


@pytest.mark.parametrize("packet", [frame(IPv4(V4, OUTSIDE4), TCP(1, 2)), message(V6, SOLICIT)])
def test_stages_after_it_know_the_sender(packet):
    """Identity and endpoint of the source are in the packet for all who come later."""
    spy = plugin_object(SPY, "spy")
    points = [*entry_points(), fake_plugin("spy", spy)]
    with (
        Node() as node,
        Pipeline(node, ["spy", "tc"], entry_points=lambda: points) as pipeline,
    ):
        pod = pipeline.add_pod(identity=4242)
        pipeline.run("from_pod", bytes(packet), pod=pod)
        seen = node.call(pipeline.datapath.table("spy_seen", plugin_codec(spy)).get, 0)
        assert (seen["src_identity"], seen["src_endpoint"]) == (4242, pod.number)
