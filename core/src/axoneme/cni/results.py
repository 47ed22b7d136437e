# SPDX-License-Identifier: Apache-2.0
"""What an ADD made, and its JSON in each version of the specification."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from axoneme.model import Address

_OLD = frozenset({"0.3.0", "0.3.1", "0.4.0"})
_NEWEST = "1.1.0"


@frozen
class CniResult:
    """A pod's device: the node's end and the pod's, its addresses and the ways out of it.

    `gateways` has one for each family that the pod has an address of; `mtu` is the devices',
    `route_mtu` the routes'.
    """

    node_ifname: str
    node_mac: bytes
    ifname: str
    mac: bytes
    netns: str
    addresses: tuple[Address, ...]
    gateways: tuple[Address, ...]
    mtu: int
    route_mtu: int

    def document(self, version: str) -> dict[str, Any]:
        """Return the result as the JSON of a version."""
        return {
            "cniVersion": version,
            "interfaces": self._interfaces(version),
            "ips": [self._ip(address, version) for address in self.addresses],
            "routes": [self._route(gateway, version) for gateway in self.gateways],
            "dns": {},
        }

    def _interfaces(self, version: str) -> list[dict[str, Any]]:
        mtu = {"mtu": self.mtu} if version == _NEWEST else {}
        return [
            {"name": self.node_ifname, "mac": self.node_mac.hex(":"), **mtu},
            {"name": self.ifname, "mac": self.mac.hex(":"), **mtu, "sandbox": self.netns},
        ]

    def _ip(self, address: Address, version: str) -> dict[str, Any]:
        family = {"version": str(address.version)} if version in _OLD else {}
        gateway = next(str(g) for g in self.gateways if g.version == address.version)
        prefix = f"{address}/{address.max_prefixlen}"
        return {**family, "interface": 1, "address": prefix, "gateway": gateway}

    def _route(self, gateway: Address, version: str) -> dict[str, Any]:
        everything = "0.0.0.0/0" if isinstance(gateway, IPv4Address) else "::/0"
        mtu = {"mtu": self.route_mtu} if version == _NEWEST else {}
        return {"dst": everything, "gw": str(gateway), **mtu}
