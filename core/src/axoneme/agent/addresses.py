# SPDX-License-Identifier: Apache-2.0
"""Who has which address, as programs are to know it: this node, the others, pods of all nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.datapath import Remote
from axoneme.model.identity import Reserved
from axoneme.observe import Directory, Owner

from .membership import host_addresses

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from axoneme.agent.engine import Engine
    from axoneme.datapath import IpcacheMaps
    from axoneme.model import Address
    from axoneme.model.node import NodeRecord
    from axoneme.sources import EndpointRecord


@define
class AddressBook:
    """The addresses of the cluster in ipcache, and in the directory by which events have names.

    Of several who claim an address the node has it, then a pod whose programs are attached here,
    then a pod that the source speaks of, then another node.
    """

    engine: Engine
    ipcache: IpcacheMaps
    own: NodeRecord
    directory: Directory = field(factory=Directory, init=False)
    #: The node's own addresses, when they were looked at last.
    _hosts: frozenset[Address] = field(default=frozenset(), init=False)

    def replace(self, records: Iterable[EndpointRecord]) -> None:
        """Know nodes and these endpoints alone, those of all nodes."""
        network = self.engine.network
        remotes = {
            address: Remote(Reserved.REMOTE_NODE, network.tunnel_to(node))
            for node in network.others
            for address in node.addresses
        }
        remotes |= self._remotes(records)
        for endpoint in self.engine.datapath.endpoints.values():
            remote = Remote(endpoint.identity or Reserved.INIT)
            remotes |= dict.fromkeys(endpoint.addresses, remote)
        self._hosts = frozenset(host_addresses(self.own))
        remotes |= dict.fromkeys(self._hosts, Remote(Reserved.HOST))
        self.ipcache.replace(remotes)
        nodes = [(_owner(self.own, Reserved.HOST), self._hosts)]
        nodes += [(_owner(n, Reserved.REMOTE_NODE), frozenset(n.addresses)) for n in network.others]
        self.directory.replace_nodes(nodes)

    def change(
        self,
        old: Iterable[EndpointRecord],
        new: Iterable[EndpointRecord],
        records: Collection[EndpointRecord],
    ) -> None:
        """Know the new ones of endpoints of other nodes in place of the old; `records` are all.

        No two of them have one address.
        """
        remotes = self._remotes(new)
        gone = {address for record in old for address in record.addresses} - remotes.keys()
        others = self._hosts.union(
            *(node.addresses for node in self.engine.network.others),
            *(endpoint.addresses for endpoint in self.engine.datapath.endpoints.values()),
        )
        if others.isdisjoint(gone | remotes.keys()):
            self.ipcache.remove(gone)
            self.ipcache.put(remotes)
        else:
            self.replace(records)

    def _remotes(self, records: Iterable[EndpointRecord]) -> dict[Address, Remote]:
        network = self.engine.network
        known = {node.name: node for node in network.others}
        remotes: dict[Address, Remote] = {}
        for record in records:
            node = known.get(record.node)
            tunnel = network.tunnel_to(node) if node is not None else None
            remote = Remote(record.identity or Reserved.INIT, tunnel)
            remotes |= dict.fromkeys(record.addresses, remote)
        return remotes


def _owner(node: NodeRecord, identity: Reserved) -> Owner:
    return Owner(node.name, node=node.name, identity=identity)
