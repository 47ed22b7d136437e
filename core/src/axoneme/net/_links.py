# SPDX-License-Identifier: Apache-2.0
"""Devices: look up, make, change and delete them."""

from __future__ import annotations

import errno
import struct
from typing import Any

from attrs import frozen

from axoneme.net._errors import NetworkError
from axoneme.net._pyroute2 import ifinfmsg
from axoneme.net._socket import (
    ACK,
    CREATE,
    DUMP,
    EXCLUSIVE,
    HEADER_BYTES,
    Socket,
    read_attributes,
)

_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_IFF_UP = 0x1
_SKIP_STATISTICS = 0x8
_INFO = struct.Struct("=4xiI4x")  # struct ifinfomsg: the index and the flags of it
_NUMBER = struct.Struct("=I")
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_LINKINFO = 1, 3, 4, 5, 18
_INFO_KIND = 1


@frozen
class Link:
    """A device as it was when it was looked up.

    `kind` is the kernel's word, such as veth, and empty for hardware; `peer` is the index of
    the device that this one is tied to, in that one's namespace: a veth's other end.
    """

    name: str
    index: int
    mac: bytes
    kind: str
    peer: int | None
    mtu: int
    up: bool

    def __str__(self) -> str:
        return self.name


class LinkRequests(Socket):
    """What can be asked of devices."""

    def find_link(self, device: str | int) -> Link | None:
        """Return the device of a name or an index, or None where there is none."""
        try:
            return self.link(device)
        except NetworkError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def link(self, device: str | int) -> Link:
        """Return the device of a name or an index."""
        if isinstance(device, int):
            message = _message(index=device)
        else:
            message = _message(IFLA_IFNAME=device)
        found = self._request_bytes(message, _GETLINK, ACK, "find the device", str(device))
        return _link(found[0])

    def links(self) -> tuple[Link, ...]:
        """Return all devices of the namespace."""
        return tuple(map(_link, self._request_bytes(_message(), _GETLINK, DUMP, "list devices")))

    def add_veth(
        self,
        name: str,
        peer: str,
        *,
        peer_network: int | None = None,
        mac: bytes | None = None,
        peer_mac: bytes | None = None,
        mtu: int = 1500,
    ) -> Link:
        """Make a pair of veth devices and return this end.

        The other end appears in the namespace of the file descriptor `peer_network`.
        """
        here = _attributes(IFLA_IFNAME=name, IFLA_ADDRESS=_text(mac), IFLA_MTU=mtu)
        there = _attributes(
            IFLA_IFNAME=peer,
            IFLA_ADDRESS=_text(peer_mac),
            IFLA_MTU=mtu,
            IFLA_NET_NS_FD=peer_network,
        )
        data = {"attrs": [("VETH_INFO_PEER", {"attrs": there})]}
        info = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", data)]}
        message = _message()
        message["attrs"] = [*here, ("IFLA_LINKINFO", info)]
        doing = f"make it as a veth with peer {peer}"
        self._request(message, _NEWLINK, ACK | CREATE | EXCLUSIVE, doing, name)
        return self.link(name)

    def change_link(
        self,
        link: Link,
        *,
        up: bool | None = None,
        mtu: int | None = None,
        mac: bytes | None = None,
    ) -> None:
        """Change what is given of a device and leave the rest."""
        message = _message(index=link.index, IFLA_MTU=mtu, IFLA_ADDRESS=_text(mac))
        if up is not None:
            message["flags"] = _IFF_UP if up else 0
            message["change"] = _IFF_UP
        self._request(message, _SETLINK, ACK, _change(up, mtu, mac), link.name)

    def delete_link(self, link: Link) -> None:
        """Delete a device; a veth's other end goes with it."""
        self._request(_message(index=link.index), _DELLINK, ACK, "delete it", link.name)


def _attributes(**values: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in values.items() if value is not None]


def _message(index: int = 0, **values: Any) -> Any:
    message = ifinfmsg()
    message["index"] = index
    message["attrs"] = _attributes(IFLA_EXT_MASK=_SKIP_STATISTICS, **values)
    return message


def _text(mac: bytes | None) -> str | None:
    return None if mac is None else mac.hex(":")


def _change(up: bool | None, mtu: int | None, mac: bytes | None) -> str:
    parts = [] if up is None else ["up" if up else "down"]
    parts += [] if mtu is None else [f"mtu {mtu}"]
    parts += [] if mac is None else [f"address {mac.hex(':')}"]
    return f"set {' '.join(parts)}"


def _link(data: bytes) -> Link:
    """Read an ifinfomsg with its attributes."""
    index, flags = _INFO.unpack_from(data, HEADER_BYTES)
    found = read_attributes(data, HEADER_BYTES + _INFO.size)
    kind = read_attributes(found.get(_IFLA_LINKINFO, b"")).get(_INFO_KIND, b"")
    peer = found.get(_IFLA_LINK)
    return Link(
        name=found[_IFLA_IFNAME].rstrip(b"\0").decode(),
        index=index,
        mac=found.get(_IFLA_ADDRESS, b""),
        kind=kind.rstrip(b"\0").decode(),
        peer=None if peer is None else _NUMBER.unpack(peer)[0],
        mtu=_NUMBER.unpack(found[_IFLA_MTU])[0],
        up=bool(flags & _IFF_UP),
    )
