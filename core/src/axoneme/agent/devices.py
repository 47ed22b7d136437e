# SPDX-License-Identifier: Apache-2.0
"""The node's devices, for the datapath that does not know netlink."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.datapath import Device
from axoneme.net import Netlink

if TYPE_CHECKING:
    from collections.abc import Iterable


def find_devices(names: Iterable[str]) -> tuple[Device, ...]:
    """The devices of these names.

    Raises:
        NetworkError: there is no such device.
    """
    with Netlink() as netlink:
        return tuple(Device(name, netlink.link(name).index) for name in names)
