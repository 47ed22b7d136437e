# SPDX-License-Identifier: Apache-2.0
"""One netlink socket: requests out, answers in.

pyroute2's own IPRoute runs an event loop inside, which fails in a thread that runs one already,
as the agent's does, and takes three times as long; so only its messages are used.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from axoneme.net import namespaces
from axoneme.net._errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

REQUEST = 0x1
ACK = 0x4
REPLACE = 0x100
EXCLUSIVE = 0x200
CREATE = 0x400
DUMP = 0x300

_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11

_ERROR, _DONE = 2, 3
_INTERRUPTED = 0x10
_HAS_TEXT = 0x200
_HEADER = struct.Struct("=IHHII")
HEADER_BYTES = _HEADER.size
_ATTRIBUTE = struct.Struct("=HH")
_ATTRIBUTE_KIND = 0x3FFF  # the two bits above say of nested and of network byte order
_TEXT = 1
_REPLY_BYTES = 65536  # more than the kernel ever puts into one message of a dump


class _Refused(Exception):  # noqa: N818 - it becomes a NetworkError
    """The kernel answered with an error."""

    def __init__(self, errno: int, text: str) -> None:
        super().__init__(errno, text)
        self.errno = errno
        self.text = text


class Socket:
    """A netlink socket in the network namespace of the calling thread, or in `network`.

    It stays in that namespace, whichever thread uses it later.
    """

    def __init__(self, network: int | None = None) -> None:
        with ExitStack() as stack:
            if network is not None:
                stack.enter_context(namespaces.entered(network))
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
            self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        # An error then has the kernel's own words, and only the header of what it refused.
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.bind((0, 0))
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; what was asked for stays."""
        self._socket.close()

    def _request(
        self, message: Any, kind: int, flags: int, doing: str, device: str = ""
    ) -> list[Any]:
        """Send one request and return the messages of the answer, decoded by the same class."""
        found = self._request_bytes(message, kind, flags, doing, device)
        return [decoded(type(message), data) for data in found]

    def _request_bytes(
        self, message: Any, kind: int, flags: int, doing: str, device: str = ""
    ) -> list[bytes]:
        """Send one request and return the messages of the answer as they came, with headers.

        pyroute2 takes a millisecond to decode a device and all that is known of it, so long dumps
        are read by `read_attributes`.
        """
        try:
            return self._ask(message, kind, flags)
        except _Refused as refused:
            raise NetworkError(
                f"cannot {doing}", device=device, errno=refused.errno, detail=refused.text
            ) from None

    def _ask(self, message: Any, kind: int, flags: int) -> list[bytes]:
        with self._lock:
            while True:
                number = next(self._numbers)
                self._socket.send(_encoded(message, kind, flags, number))
                answers = list(self._answers(number, dump=flags & DUMP == DUMP))
                if not any(flags & _INTERRUPTED for flags, _ in answers):
                    return [data for _, data in answers if data]

    def _answers(self, number: int, *, dump: bool) -> Iterator[tuple[int, bytes]]:
        """Read until the request's end: DONE ends a dump, the acknowledgement all others."""
        while True:
            for kind, flags, sequence, data in _split(self._socket.recv(_REPLY_BYTES)):
                if sequence != number:
                    continue  # left over from a request whose reader was interrupted
                if kind in {_ERROR, _DONE}:
                    _check(flags, data)
                    yield flags, b""
                    if dump or kind == _ERROR:
                        return
                else:
                    yield flags, data


def read_attributes(data: bytes, at: int = 0) -> dict[int, bytes]:
    """Return the attributes behind an offset by their number; of equal ones the last."""
    found = {}
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        found[kind & _ATTRIBUTE_KIND] = data[at + _ATTRIBUTE.size : at + length]
        at += max(-(-length // 4) * 4, _ATTRIBUTE.size)
    return found


def _encoded(message: Any, kind: int, flags: int, number: int) -> bytes:
    message["header"] = {
        "type": kind,
        "flags": REQUEST | flags,
        "sequence_number": number,
        "pid": 0,
    }
    message.reset()
    message.encode()
    return bytes(message.data)


def decoded(kind: type[Any], data: bytes) -> Any:
    """Return a message of a class of pyroute2."""
    message = kind(data)
    message.decode()
    return message


def _split(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Take a reply apart into type, flags, sequence number and bytes of each message."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        yield kind, flags, sequence, data[at : at + length]
        at += -(-length // 4) * 4


def _check(flags: int, data: bytes) -> None:
    """Raise what an error message or the end of a dump says, unless it says that all is well."""
    if len(data) < _HEADER.size + 4:
        return
    (number,) = struct.unpack_from("=i", data, _HEADER.size)
    if number < 0:
        raise _Refused(-number, _text(data) if flags & _HAS_TEXT else "")


def _text(data: bytes) -> str:
    """Return the kernel's own words: an attribute behind the header of the refused request."""
    at = _HEADER.size + 4
    if struct.unpack_from("=H", data, 4)[0] == _ERROR:
        at += _HEADER.size
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if kind == _TEXT:
            return data[at + _ATTRIBUTE.size : at + length].rstrip(b"\0").decode(errors="replace")
        at += max(-(-length // 4) * 4, _ATTRIBUTE.size)
    return ""
