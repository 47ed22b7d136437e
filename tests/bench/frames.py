# SPDX-License-Identifier: Apache-2.0
"""A frame to measure with."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from axoneme.testing import Pod

_IPV4_BYTES = 20
_TCP_ACK = 0x10


def tcp_frame(source: Pod, target: Pod) -> bytes:
    """An acknowledgement in IPv4, as a pod sends it to its node."""
    total = _IPV4_BYTES + 20
    addresses = source.ipv4.packed + target.ipv4.packed
    ip = struct.pack("!BBHHHBBH", 0x45, 0, total, 0, 0, 64, 6, 0) + addresses
    ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
    tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1, 1, 5 << 4, _TCP_ACK, 1000, 0, 0)
    return source.node_mac + source.mac + b"\x08\x00" + ip + tcp


def _checksum(header: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
