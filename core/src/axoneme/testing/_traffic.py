# SPDX-License-Identifier: Apache-2.0
"""Small servers and requests, to see what gets through."""

from __future__ import annotations

import selectors
import socket
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from axoneme.testing._timeouts import scaled

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from axoneme.testing._worker import Worker

    Reply: TypeAlias = Callable[[bytes, tuple[Any, ...]], bytes]

KINDS: dict[str, int] = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

_CHUNK = 65536
_SEND_SECONDS = 10


def echo(data: bytes, _: tuple[Any, ...]) -> bytes:
    """Answer with what was asked."""
    return data


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Send data over a connected socket and return the answer, all of it for TCP."""
    connection.sendall(data)
    if connection.type != socket.SOCK_STREAM:
        return connection.recv(_CHUNK)
    connection.shutdown(socket.SHUT_WR)
    return b"".join(iter(lambda: connection.recv(_CHUNK), b""))


class Server:
    """A thread that answers at a port, TCP or UDP as its socket is."""

    def __init__(self, listener: socket.socket, port: int, worker: Worker, reply: Reply) -> None:
        self._listener = listener
        self._worker = worker
        self._reply = reply
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._closed = False
        try:
            self.port = self._listen(port)
        except BaseException:
            self._release()
            raise
        self._loop = worker.submit(self._serve)

    def __enter__(self) -> Self:
        """Return the server itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Stop answering, close all connections, and raise what the reply function raised."""
        if self._closed:
            return
        self._waker.send(b".")
        try:
            self._loop.result(scaled(_SEND_SECONDS))
        finally:
            self._release()

    def _listen(self, port: int) -> int:
        self._listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if self._listener.type == socket.SOCK_STREAM:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("::", port))
        if self._listener.type == socket.SOCK_STREAM:
            self._listener.listen(128)
            self._register(self._listener, self._accept)
        else:
            self._register(self._listener, self._answer_datagram)
        self._register(self._woken, None)
        return int(self._listener.getsockname()[1])

    def _register(self, source: socket.socket, action: Any) -> None:
        self._selector.register(source, selectors.EVENT_READ, action)

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.settimeout(scaled(_SEND_SECONDS))
        self._register(connection, self._answer)

    def _answer(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(_CHUNK)
            if data:
                connection.sendall(self._reply(data, connection.getpeername()))
                return
        except OSError:
            pass  # the peer has gone away, which is its own affair
        self._selector.unregister(connection)
        connection.close()

    def _answer_datagram(self, listener: socket.socket) -> None:
        data, peer = listener.recvfrom(_CHUNK)
        listener.sendto(self._reply(data, peer), peer)

    def _release(self) -> None:
        self._closed = True
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr] # they are sockets
        self._selector.close()
        self._listener.close()
        self._waker.close()
        self._woken.close()
        self._worker.stop()
