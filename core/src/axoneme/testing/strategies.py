# SPDX-License-Identifier: Apache-2.0
"""hypothesis strategies for packets; hypothesis itself is for the user to install."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from axoneme.testing.packets import (
    ICMP,
    SCTP,
    TCP,
    UDP,
    VXLAN,
    DestinationOptions,
    Ethernet,
    HopByHop,
    ICMPv6,
    IPv4,
    IPv6,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from axoneme.testing.packets import Layer, Packet

_WORD = st.integers(0, 0xFFFFFFFF)
_HALF = st.integers(0, 0xFFFF)
_BYTE = st.integers(0, 0xFF)
_MAC = st.binary(min_size=6, max_size=6)

#: Ports, those of VXLAN left out: what they carry would be read as a tunnel.
ports: SearchStrategy[int] = _HALF.filter(lambda port: port not in VXLAN.PORTS)
ipv4_addresses: SearchStrategy[IPv4Address] = _WORD.map(IPv4Address)
ipv6_addresses: SearchStrategy[IPv6Address] = st.integers(0, (1 << 128) - 1).map(IPv6Address)
_four_bytes = st.binary(min_size=4, max_size=4)
_words = st.lists(_four_bytes, max_size=5).map(b"".join)

_transports: SearchStrategy[Layer] = st.one_of(
    st.builds(
        TCP,
        ports,
        ports,
        flags=st.sets(st.sampled_from("FSRPAUEC")).map("".join),
        seq=_WORD,
        ack=_WORD,
        window=_HALF,
        options=_words,
    ),
    st.builds(UDP, ports, ports),
    st.builds(SCTP, ports, ports, tag=_WORD),
)
_ipv4: SearchStrategy[IPv4] = st.builds(
    IPv4,
    ipv4_addresses,
    ipv4_addresses,
    ttl=_BYTE,
    tos=_BYTE,
    id=_HALF,
    dont_fragment=st.booleans(),
    options=_words,
)
_ipv6: SearchStrategy[IPv6] = st.builds(
    IPv6,
    ipv6_addresses,
    ipv6_addresses,
    hop_limit=_BYTE,
    traffic_class=_BYTE,
    flow_label=st.integers(0, 0xFFFFF),
)
_extension: SearchStrategy[Layer] = st.one_of(
    st.builds(HopByHop, st.binary(max_size=20)),
    st.builds(DestinationOptions, st.binary(max_size=20)),
)
_echo4 = st.builds(ICMP.echo, _HALF, _HALF, reply=st.booleans())
_echo6 = st.builds(ICMPv6.echo, _HALF, _HALF, reply=st.booleans())


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    """Well-formed packets of both families, with extension headers and payload."""
    frame = draw(st.builds(Ethernet, _MAC, _MAC))
    payload = draw(st.binary(max_size=64))
    if draw(st.booleans()):
        return frame / draw(_ipv4) / draw(_transports | _echo4) / payload
    packet = frame / draw(_ipv6)
    for extension in draw(st.lists(_extension, max_size=2)):
        packet = packet / extension
    return packet / draw(_transports | _echo6) / payload
