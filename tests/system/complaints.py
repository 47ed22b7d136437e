# SPDX-License-Identifier: Apache-2.0
"""What routers and peers say of a datagram that they cannot carry, as its socket hears it."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from axoneme.testing import scaled

if TYPE_CHECKING:
    from axoneme.model import Address
    from axoneme.testing import Place

_IP_MTU_DISCOVER, _IP_RECVERR = 10, 11
_IPV6_MTU_DISCOVER, _IPV6_RECVERR = 23, 25
_DO = 2  # IP_PMTUDISC_DO: never cut a packet
_MSG_ERRQUEUE = 0x2000


def udp(
    pod: Place, index: int, address: str | Address, port: int = 9, *, hops: int | None = None
) -> socket.socket:
    """A connected UDP socket that hears what routers say, and never lets its packets be cut."""
    made = pod.socket((socket.AF_INET, socket.AF_INET6)[index], socket.SOCK_DGRAM)
    made.settimeout(scaled(2))
    level = (socket.IPPROTO_IP, socket.IPPROTO_IPV6)[index]
    made.setsockopt(level, (_IP_RECVERR, _IPV6_RECVERR)[index], 1)
    made.setsockopt(level, (_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER)[index], _DO)
    if hops is not None:
        option = (socket.IP_TTL, socket.IPV6_UNICAST_HOPS)[index]
        made.setsockopt(level, option, hops)
    made.connect((str(address), port))
    return made


def complaint(source: socket.socket) -> tuple[int, str]:
    """The errno of what a router or the peer said of the packet, and the address of who said it."""
    _, control, _, _ = source.recvmsg(2048, 512, _MSG_ERRQUEUE)
    ((_, _, data),) = (c for c in control if c[1] in {_IP_RECVERR, _IPV6_RECVERR})
    number = struct.unpack_from("=I", data)[0]
    family = struct.unpack_from("=H", data, 16)[0]
    at, size = (20, 4) if family == socket.AF_INET else (24, 16)
    kind = socket.AF_INET if family == socket.AF_INET else socket.AF_INET6
    return number, socket.inet_ntop(kind, data[at : at + size])
