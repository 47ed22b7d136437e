# SPDX-License-Identifier: Apache-2.0
"""The tunnel device: made, kept as it should be, and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from axoneme.model import Address
    from axoneme.model.node import NodeRecord
    from axoneme.net import Netlink, Tunnel

#: Its name, its index (AXN_OVERLAY_IFINDEX of <axoneme/overlay.h>) and the nodes' port.
OVERLAY: Final = "axn_vxlan"
OVERLAY_INDEX: Final = 0x41584E
OVERLAY_PORT: Final = 8472


def keep_overlay(netlink: Netlink, mtu: int) -> list[str]:
    """Make the device, or make it again what it should be; a sentence for each thing that differed.

    Raises:
        AxonemeError: a device of somebody else's has its name.
        NetworkError: the kernel refuses it, as when its index or its port is taken.
    """
    there = netlink.find_link(OVERLAY)
    if there is not None and there.kind != "vxlan":
        raise AxonemeError(
            f"there is a device {OVERLAY} that is no tunnel, but {there.kind or 'hardware'}: "
            "rename it"
        )
    tunnel = netlink.find_vxlan(OVERLAY)
    if tunnel is not None and not _is_ours(tunnel):
        netlink.delete_link(tunnel.link)
        _make(netlink, mtu)
        return [f"device {OVERLAY}: it was another tunnel, and is made again"]
    if tunnel is None:
        _make(netlink, mtu)
        return [f"device {OVERLAY}: it was missing"]
    return _correct(netlink, tunnel, mtu)


def _make(netlink: Netlink, mtu: int) -> None:
    netlink.add_vxlan(OVERLAY, index=OVERLAY_INDEX, port=OVERLAY_PORT, mtu=mtu)


def _is_ours(tunnel: Tunnel) -> bool:
    facts = (tunnel.link.index, tunnel.port, tunnel.external, tunnel.quiet)
    return facts == (OVERLAY_INDEX, OVERLAY_PORT, True, True)


def _correct(netlink: Netlink, tunnel: Tunnel, mtu: int) -> list[str]:
    found = []
    if tunnel.link.mtu != mtu:
        netlink.change_link(tunnel.link, mtu=mtu)
        found.append(f"device {OVERLAY}: its mtu was {tunnel.link.mtu}, and is {mtu} now")
    if not tunnel.link.up:
        netlink.change_link(tunnel.link, up=True)
        found.append(f"device {OVERLAY}: it was down")
    return found


def remove_overlay(netlink: Netlink) -> list[str]:
    """Remove the device if it is ours; a sentence if it was there."""
    tunnel = netlink.find_vxlan(OVERLAY)
    if tunnel is None:
        return []
    netlink.delete_link(tunnel.link)
    return [f"device {OVERLAY}"]


def tunnel_address(own: NodeRecord, other: NodeRecord) -> Address | None:
    """Return the address to which packets for another node's pods are encapsulated.

    It is of a family that both nodes have, IPv4 where they have both.
    """
    for version in (4, 6):
        address = other.address(version)
        if address is not None and own.address(version) is not None:
            return address
    return None
