# SPDX-License-Identifier: Apache-2.0
"""Whatever comes, the trunks make of it what the reference parser makes of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import asdict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.packets.reference import Broken, NotIp, parse

from axoneme.datapath import Verdict, trunk
from axoneme.testing import scaled
from axoneme.testing.packets import (
    DestinationOptions,
    Ethernet,
    Fragment,
    HopByHop,
    IPv4,
    IPv6,
    Packet,
    Routing,
)
from axoneme.testing.strategies import packets

if TYPE_CHECKING:
    from tests.packets.stub import Stub

ARP = 0x0806
#: An emulated machine is slower, and its kernel's parser is the same.
thorough = settings(
    max_examples=max(20, round(400 / scaled(1))),
    deadline=None,
    database=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

_trunks = st.sampled_from(["from_pod", "to_pod", "from_uplink", "to_uplink", "xdp_ingress"])
_byte = st.integers(0, 255)
_next = st.sampled_from([0, 6, 17, 43, 44, 50, 58, 59, 60, 132, 135])
_extension = st.one_of(
    st.builds(HopByHop, st.binary(max_size=40)),
    st.builds(DestinationOptions, st.binary(max_size=600)),
    st.builds(Routing, st.binary(max_size=40)),
    st.builds(Fragment, st.integers(0, 3).map(lambda n: n * 8), st.booleans()),
)


@st.composite
def chains(draw: st.DrawFn) -> bytes:
    """IPv6 with any number of extensions, and anything behind them."""
    packet = Ethernet() / IPv6("fd00::1", "fd00::2")
    for extension in draw(st.lists(_extension, max_size=6)):
        packet = packet / extension
    last = draw(_next)
    packet = packet / DestinationOptions(b"", last) / draw(st.binary(max_size=40))
    return bytes(packet)


@st.composite
def fragments(draw: st.DrawFn) -> bytes:
    """IPv4 with any bits in the fragment word, any header length and anything behind."""
    header = IPv4(
        "10.0.0.1",
        "10.0.0.2",
        draw(st.sampled_from([1, 6, 17, 47, 132])),
        more_fragments=draw(st.booleans()),
        dont_fragment=draw(st.booleans()),
        offset=draw(st.sampled_from([0, 8, 65528])),
        header_words=draw(st.none() | st.integers(0, 15)),
    )
    return bytes(Packet((Ethernet(), header), draw(st.binary(max_size=64))))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A packet of any kind, cut off anywhere, with some bytes changed."""
    whole = bytearray(draw(st.one_of(packets().map(bytes), chains(), fragments())))
    for at, value in draw(st.lists(st.tuples(st.integers(12, 90), _byte), max_size=3)):
        if at < len(whole):
            whole[at] = value
    return bytes(whole[: draw(st.integers(14, len(whole)))])


def agrees(stub: Stub, name: str, packet: bytes) -> None:
    """Run a packet, and compare with the reference."""
    # tc's test runs refuse what ends within the IP header: only XDP sees such a packet.
    name = name if len(packet) >= 54 else "xdp_ingress"
    stub.reset()
    run = stub.run(name, packet)
    match expected := parse(packet):
        case Broken(reason):
            assert stub.drops() == ((name, reason, len(packet)),)
        case NotIp(kind) if name == "from_pod" and kind != ARP:
            assert stub.drops() == ((name, "unsupported_l3", len(packet)),)
        case NotIp():
            assert (run.verdict, stub.path()) == (Verdict.PASS, ())
        case _:
            assert stub.seen(trunk(name).stages[0]).items() >= asdict(expected).items()


@thorough
@given(_trunks, packets().map(bytes))
def test_what_is_well_formed_is_parsed_as_the_reference_does(
    stub: Stub, name: str, packet: bytes
) -> None:
    """Packets of both families with ports, extensions and options."""
    agrees(stub, name, packet)


@thorough
@given(_trunks, st.one_of(chains(), fragments()))
def test_headers_in_any_order_are_parsed_as_the_reference_does(
    stub: Stub, name: str, packet: bytes
) -> None:
    """Extension headers and fragments as nobody sends them."""
    agrees(stub, name, packet)


@thorough
@given(_trunks, damaged())
def test_what_is_damaged_is_judged_as_the_reference_does(
    stub: Stub, name: str, packet: bytes
) -> None:
    """Packets cut off and overwritten anywhere."""
    agrees(stub, name, packet)
