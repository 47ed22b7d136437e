# SPDX-License-Identifier: Apache-2.0
"""Datagrams that are counted at both ends."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from axoneme.testing import scaled
from axoneme.testing.packets import SCTP

if TYPE_CHECKING:
    from axoneme.model import Address
    from axoneme.testing import Place, Pod

#: What tests send: nothing else of a pod goes there, whatever its kernel says of multicast.
PORT = 9000
#: Chunks of SCTP.
INIT, INIT_ACK = 1, 2
_SO_RCVBUFFORCE = 33


def send(sender: Place, receiver: Pod, count: int, *, port: int = PORT) -> int:
    """Send UDP datagrams from one pod to another; how many arrive."""
    with listen(receiver, port) as listener, sender.socket(kind=socket.SOCK_DGRAM) as source:
        for n in range(count):
            source.sendto(n.to_bytes(4, "big"), (str(receiver.ipv4), port))
        return arrived(listener, count)


def listen(pod: Place, port: int = PORT) -> socket.socket:
    """A UDP socket of a pod, with room for all that a test sends."""
    listener = pod.socket(kind=socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 24)
    listener.bind(("", port))
    return listener


def arrived(listener: socket.socket, most: int) -> int:
    """How many datagrams come before there is silence, up to so many."""
    listener.settimeout(scaled(0.3))
    count = 0
    try:
        while count < most:
            listener.recv(64)
            count += 1
    except TimeoutError:
        pass
    return count


def associates(
    source: Place,
    target: Place,
    address: Address,
    port: int,
    *,
    source_port: int = 40000,
    chunk: int = INIT,
) -> bool:
    """Whether an SCTP packet arrives: no kernel here speaks it, so nobody answers by itself."""
    packet = bytes(SCTP(source_port, port) / bytes([chunk, 0, 0, 20, *bytes(16)]))
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    kind = family, socket.SOCK_RAW, socket.IPPROTO_SCTP
    with target.socket(*kind) as listener, source.socket(*kind) as sender:
        listener.settimeout(scaled(0.4))
        sender.sendto(packet, (str(address), 0))
        try:
            while packet not in listener.recv(2048):
                pass
        except TimeoutError:
            return False
    return True


class Sender(threading.Thread):
    """Sends datagrams from one pod to another until it is told to stop; `sent` says how many."""

    def __init__(self, source: socket.socket, target: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self._source, self._target = source, target
        self._told = threading.Event()
        self.sent = 0

    def run(self) -> None:
        """Send one each tenth of a millisecond, or as many as the machine can."""
        while not self._told.wait(0.0001):
            self._source.sendto(self.sent.to_bytes(4, "big"), self._target)
            self.sent += 1

    def end(self) -> int:
        """Stop, and return how many were sent."""
        self._told.set()
        self.join()
        return self.sent
