# SPDX-License-Identifier: Apache-2.0
"""Nodes that are neighbours: the kernel keeps their MAC addresses fresh.

Programs that send straight to a neighbour only read what the kernel knows of it; by itself the
kernel asks again for those alone that it sends to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.net import NetworkError

from .routes import KEEPER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.net import KeptNeighbour, Netlink


def keep_neighbours(netlink: Netlink, wanted: Iterable[KeptNeighbour]) -> list[str]:
    """Have the kernel keep these neighbours, and no others for us; a sentence for each change.

    One whose MAC address somebody gave for good is left as it is.
    """
    wished = set(wanted).difference(netlink.permanent_neighbours())
    present = set(netlink.kept_neighbours(KEEPER))
    found = []
    for neighbour in sorted(wished - present, key=str):
        found.append(f"neighbour {neighbour}: it was not kept fresh")
        try:
            netlink.keep_neighbour(neighbour, KEEPER)
        except NetworkError as error:
            found[-1] = f"neighbour {neighbour}: {error}"
    for neighbour in sorted(present - wished, key=str):
        found.append(f"neighbour {neighbour}: no node has it any more")
        try:
            netlink.drop_neighbour(neighbour)
        except NetworkError as error:
            found[-1] = f"neighbour {neighbour}: {error}"
    return found
