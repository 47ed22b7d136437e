# SPDX-License-Identifier: Apache-2.0
"""The tunnel device: one for all peers, told by programs where each packet goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from axoneme.net._errors import NetworkError
from axoneme.net._links import LinkRequests, _message
from axoneme.net._socket import ACK, CREATE, EXCLUSIVE

if TYPE_CHECKING:
    from axoneme.net._links import Link


_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_IFF_UP, _IFF_NOARP = 0x01, 0x80
_ADDR_GEN_NONE = 1


@frozen
class Tunnel:
    """A VXLAN device as it was when it was looked up.

    `external`: the peer and the network number of each packet come with the packet, not from the
    device. `quiet`: nothing is asked for MAC addresses there.
    """

    link: Link
    port: int
    external: bool
    quiet: bool


class TunnelRequests(LinkRequests):
    """What can be asked of tunnel devices."""

    def add_vxlan(self, name: str, *, index: int, port: int, mtu: int) -> Tunnel:
        """Make a VXLAN device that is told of each packet where it goes, and set it up.

        It has an index of the caller's choice, and gives itself no address.
        """
        message = _message(index=index, IFLA_IFNAME=name, IFLA_MTU=mtu)
        data = [
            ("IFLA_VXLAN_COLLECT_METADATA", 1),
            ("IFLA_VXLAN_LEARNING", 0),
            ("IFLA_VXLAN_PORT", port),
        ]
        info = [("IFLA_INFO_KIND", "vxlan"), ("IFLA_INFO_DATA", {"attrs": data})]
        message["attrs"] += [("IFLA_LINKINFO", {"attrs": info})]
        doing = f"make it as a vxlan at port {port}"
        self._request(message, _NEWLINK, ACK | CREATE | EXCLUSIVE, doing, name)
        try:
            self._settle(index, name)
        except NetworkError:
            self._request(_message(index=index), _DELLINK, ACK, "delete it", name)
            raise
        made = self.find_vxlan(name)
        assert made is not None
        return made

    def _settle(self, index: int, name: str) -> None:
        """Set a new device up, but not before it knows that it makes no addresses of its own."""
        unasked = {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", _ADDR_GEN_NONE)]}
        message = _message(index=index)
        message["attrs"].append(("IFLA_AF_SPEC", {"attrs": [("AF_INET6", unasked)]}))
        self._request(message, _SETLINK, ACK, "leave it without addresses", name)
        message = _message(index=index)
        message["flags"] = message["change"] = _IFF_UP | _IFF_NOARP
        self._request(message, _SETLINK, ACK, "set it up", name)

    def find_vxlan(self, name: str) -> Tunnel | None:
        """Return the VXLAN device of a name, None where there is none or it is something else."""
        link = self.find_link(name)
        if link is None or link.kind != "vxlan":
            return None
        (found,) = self._request(_message(index=link.index), _GETLINK, ACK, "read it", name)
        data = found.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
        return Tunnel(
            link,
            port=data.get_attr("IFLA_VXLAN_PORT"),
            external=bool(data.get_attr("IFLA_VXLAN_COLLECT_METADATA")),
            quiet=bool(found["flags"] & _IFF_NOARP),
        )
