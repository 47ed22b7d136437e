# SPDX-License-Identifier: Apache-2.0
"""Who has which address, in the maps: single addresses, networks of policies, nodes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, field, frozen

from axoneme.model import pack_address, unpack_address

from .attachments import Drift
from .runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axoneme.model import Address

    from .datapath import Datapath
    from .tables import Rows, Table

Network: TypeAlias = IPv4Network | IPv6Network

_MAPPED_BITS = 96
_NO_TUNNEL = bytes(16)


@frozen
class Remote:
    """Who has an address: an identity, and the node that its packets are encapsulated to."""

    identity: int
    tunnel: Address | None = None

    def row(self) -> dict[str, object]:
        """The value in the map."""
        tunnel = _NO_TUNNEL if self.tunnel is None else pack_address(self.tunnel)
        return {"identity": self.identity, "flags": 0, "tunnel": tunnel}


def pack_network(network: Network) -> dict[str, object]:
    """Return the key of a network in the trie."""
    mapped = _MAPPED_BITS if isinstance(network, IPv4Network) else 0
    address = pack_address(network.network_address)
    return {"length": mapped + network.prefixlen, "address": address}


def unpack_network(key: Mapping[str, Any]) -> Network:
    """Return the network of a key in the trie."""
    address = unpack_address(key["address"])
    mapped = _MAPPED_BITS if isinstance(address, IPv4Address) else 0
    return ip_network((address, key["length"] - mapped))


@define
class _Mirror:
    """A map and the rows that it shall hold; it begins with those that it does hold."""

    table: Table
    rows: Rows = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rows = self.table.read()

    def put(self, rows: Iterable[tuple[object, object]]) -> int:
        changed = self.rows.put(rows)
        if changed:
            self.table.push(self.rows)
        return changed

    def remove(self, keys: Iterable[object]) -> int:
        removed = self.rows.discard(keys)
        if removed:
            self.table.push(self.rows)
        return removed

    def replace(self, rows: Iterable[tuple[object, object]]) -> int:
        """Hold these rows alone; how many were written and removed."""
        wanted = self.table.rows(rows)
        stale = [key for keys, _ in self.rows.batches() for key in self._missing(keys, wanted)]
        changed = self.rows.discard(stale)
        for keys, values in wanted.batches():
            changed += self.rows.put_packed(keys, values)
        if changed:
            self.table.push(self.rows)
        return changed

    def _missing(self, keys: bytes, wanted: Rows) -> list[bytes]:
        step = self.table.layout.key.size
        each = (keys[at : at + step] for at in range(0, len(keys), step))
        return [key for key in each if key not in wanted]


@define
class IpcacheMaps:
    """The maps `ipcache`, `cidrs` and `nodes` of a node.

    What is there when it is opened stays until it is replaced or removed, so that a restart makes
    nobody a stranger. Every change begins a generation. Not for several threads at once.
    """

    _remotes: _Mirror
    _cidrs: _Mirror
    _nodes: _Mirror
    runtime: Runtime

    @classmethod
    def open(cls, datapath: Datapath, runtime: Runtime | None = None) -> IpcacheMaps:
        """Take over the maps of a datapath that has been committed; share the runtime of others."""
        ipcache, cidrs, nodes = (
            _Mirror(datapath.table(name)) for name in ("ipcache", "cidrs", "nodes")
        )
        return cls(ipcache, cidrs, nodes, runtime or Runtime.open(datapath))

    # Addresses

    def put(self, remotes: Mapping[Address, Remote]) -> int:
        """Say who has these addresses; how many are new or changed.

        Raises:
            MapFull: the map has no room.
        """
        return self._changed(self._remotes.put(_remote_rows(remotes)))

    def remove(self, addresses: Iterable[Address]) -> int:
        """Make these addresses the world's; how many were known."""
        return self._changed(self._remotes.remove([pack_address(one) for one in addresses]))

    def replace(self, remotes: Mapping[Address, Remote]) -> int:
        """Know these addresses alone; how many rows differed."""
        return self._changed(self._remotes.replace(_remote_rows(remotes)))

    # Networks that policies name

    @property
    def cidrs(self) -> dict[Network, int]:
        """The networks that have an identity, and which."""
        return {unpack_network(key): number for key, number in self._cidrs.rows}

    def put_cidrs(self, cidrs: Mapping[Network, int]) -> int:
        """Give networks their identities; how many are new or changed.

        An address belongs to the longest of its networks alone. So the rule sets that name a
        new network, and those of the wider one it is cut out of, are installed before.
        """
        rows = [(pack_network(network), number) for network, number in cidrs.items()]
        return self._changed(self._cidrs.put(rows))

    def remove_cidrs(self, networks: Iterable[Network]) -> int:
        """Forget networks, whose addresses fall to the wider ones; rule sets follow after."""
        return self._changed(self._cidrs.remove([pack_network(one) for one in networks]))

    def replace_cidrs(self, cidrs: Mapping[Network, int]) -> int:
        """Know these networks alone; how many rows differed."""
        rows = [(pack_network(network), number) for network, number in cidrs.items()]
        return self._changed(self._cidrs.replace(rows))

    # Nodes

    def replace_nodes(self, nodes: Mapping[Address, int]) -> int:
        """Accept encapsulated packets from these addresses alone, each of a node by its number."""
        rows = [(pack_address(address), number) for address, number in nodes.items()]
        return self._nodes.replace(rows)

    @property
    def wanted(self) -> Mapping[str, Rows]:
        """What the maps of single addresses should hold, by their names."""
        return {"ipcache": self._remotes.rows, "nodes": self._nodes.rows}

    def reconcile(self) -> tuple[Drift, ...]:
        """Repair what others changed in the maps, and begin a generation if anything was."""
        found = [
            Drift(f"map {mirror.table.layout.map}", f"not as written: {drift}")
            for mirror in (self._remotes, self._cidrs, self._nodes)
            if (drift := mirror.table.reconcile(mirror.rows))
        ]
        if found:
            self.runtime.bump()
        return tuple(found)

    def _changed(self, rows: int) -> int:
        if rows:
            self.runtime.bump()
        return rows


def _remote_rows(remotes: Mapping[Address, Remote]) -> list[tuple[object, object]]:
    return [(pack_address(address), remote.row()) for address, remote in remotes.items()]
