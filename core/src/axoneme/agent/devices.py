# SPDX-License-Identifier: Apache-2.0
"""The node's devices, for the datapath that does not know netlink."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.datapath import Device, trunk_names
from axoneme.net import Netlink

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_OURS = 1  # the handle and the priority of our clsact filters


def find_devices(names: Iterable[str]) -> tuple[Device, ...]:
    """The devices of these names.

    Raises:
        NetworkError: there is no such device.
    """
    with Netlink() as netlink:
        return tuple(Device(name, netlink.link(name).index) for name in names)


def remove_stale_filters(present: Collection[int]) -> list[str]:
    """Remove our clsact filters from devices that are no endpoint's and no uplink; their places.

    Filters have no pins, so that below kernel 6.6 this is how an agent finds what an earlier one
    left on a device that outlived its endpoint. `present` are the indices of the others.
    """
    removed, trunks = [], trunk_names()
    with Netlink() as netlink:
        for link in netlink.links():
            if link.index in present:
                continue
            for direction in ("ingress", "egress"):
                for found in netlink.filters(link, direction):
                    ours = (found.handle, found.priority) == (_OURS, _OURS)
                    if ours and found.name.partition(":")[0] in trunks:
                        netlink.delete_filter(link, found)
                        removed.append(f"{found.name} on {link.name}")
    return removed
