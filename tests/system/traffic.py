# SPDX-License-Identifier: Apache-2.0
"""Datagrams that are counted at both ends."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from axoneme.testing import scaled

if TYPE_CHECKING:
    from axoneme.testing import Place, Pod

#: What tests send: nothing else of a pod goes there, whatever its kernel says of multicast.
PORT = 9000
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
