# SPDX-License-Identifier: Apache-2.0
"""What tests of the ledger have in common: a node with a clock that can be set."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from axoneme.ipam import AllocationStore, Ledger
from axoneme.model import AddressPool, AddressRequest, PoolChoice

QUARANTINE = 30.0
BEGIN = 1_767_225_600.0  # 2026-01-01T00:00:00Z
DEFAULT = PoolChoice()


class Clock:
    """Two clocks: both go on when time passes, and one of them can be set."""

    def __init__(self):
        self.wall, self.steady = BEGIN, 0.0

    def passes(self, seconds):
        self.wall += seconds
        self.steady += seconds


class Node:
    """A ledger on a directory, and the owners that live."""

    def __init__(self, directory, clock):
        self.directory, self.clock = directory, clock
        self.alive = set()
        self.start()

    def start(self, pools=(), quarantine=QUARANTINE):
        """Open the directory anew, as after a crash."""
        self.ledger = Ledger(
            AllocationStore(self.directory),
            quarantine=quarantine,
            clock=lambda: self.clock.wall,
            steady=lambda: self.clock.steady,
        )
        self.ledger.set_pools(pools)
        return self.ledger

    def add(self, name, *asked, pod=None, choice=DEFAULT):
        """Give addresses to eth0 of a container, as texts."""
        request = AddressRequest("default", pod or name, addresses=tuple(map(ip_address, asked)))
        given = self.ledger.allocate(f"{name}/eth0", request, choice, self.alive.__contains__)
        self.alive.add(f"{name}/eth0")
        return " ".join(map(str, given))

    def delete(self, name):
        self.ledger.release(f"{name}/eth0")
        self.alive.discard(f"{name}/eth0")

    @property
    def entries(self):
        """The directory as it is: names and what they lead to."""
        return {path.name: str(path.readlink()) for path in sorted(self.directory.iterdir())}

    def counts(self):
        """Used, resting and free of each network."""
        networks = self.ledger.usage().networks
        return {str(n.network): (n.used, n.resting, n.free) for n in networks}


def pool(*networks, name="default", **settings):
    return AddressPool(name, map(ip_network, networks), **settings)
