# SPDX-License-Identifier: Apache-2.0
"""Who has which address: pods and nodes as they are now, and those that have gone of late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from axoneme.model import pack_address
from axoneme.model.labels import Labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axoneme.model import Address

_NO_LABELS = Labels({})
#: Addresses of those that have gone, of which names are remembered.
_KEPT_GONE = 16384


@frozen(cache_hash=True)
class Owner:
    """Who an address belongs to: a pod, or, without a namespace, a node."""

    name: str
    namespace: str = ""
    node: str = ""
    identity: int = 0
    labels: Labels = _NO_LABELS
    endpoint: int = 0

    def __str__(self) -> str:
        """Return the pod's name as Kubernetes writes it, or the node's."""
        return title(self.namespace, self.name)


def title(namespace: str, name: str) -> str:
    """What people call a pod, or a node, which is in no namespace."""
    return f"{namespace}/{name}" if namespace else f"node {name}"


@define
class Directory:
    """The owners of addresses. What is replaced or removed is remembered for a while.

    `version` is another number after every change.
    """

    version: int = field(default=0, init=False)
    _pods: dict[tuple[str, str], tuple[Owner, tuple[Address, ...]]] = field(
        factory=dict, init=False
    )
    _nodes: dict[bytes, Owner] = field(factory=dict, init=False)
    _present: dict[bytes, Owner] = field(factory=dict, init=False)
    _gone: dict[bytes, Owner] = field(factory=dict, init=False)

    def present(self, address: bytes) -> Owner | None:
        """Who has an address now; None if nobody has."""
        return self._present.get(address) or self._nodes.get(address)

    def owner(self, address: bytes, identity: int = 0) -> Owner | None:
        """Who has an address, or had it while it stood for this identity; None if nobody did."""
        present = self.present(address)
        if present is not None and identity in (0, present.identity):
            return present
        gone = self._gone.get(address)
        if gone is not None and (present is None or gone.identity == identity):
            return gone
        return present

    def owners(self) -> Iterator[tuple[bytes, Owner]]:
        """Every address and its owner, also of those that have gone."""
        yield from self._gone.items()
        yield from self._nodes.items()
        yield from self._present.items()

    def put_pod(self, owner: Owner, addresses: tuple[Address, ...]) -> None:
        """Take a pod, or what it is from now on."""
        key = owner.namespace, owner.name
        if self._pods.get(key) == (owner, addresses):
            return
        self.remove_pod(*key)
        self._pods[key] = owner, addresses
        self._present |= dict.fromkeys(map(pack_address, addresses), owner)
        self.version += 1

    def remove_pod(self, namespace: str, name: str) -> None:
        """Note that a pod is gone, if it was there."""
        owner, addresses = self._pods.pop((namespace, name), (None, ()))
        for packed in map(pack_address, addresses):
            if owner is not None and self._present.get(packed) is owner:
                del self._present[packed]
                self._remember(packed, owner)
                self.version += 1

    def replace_nodes(self, nodes: Iterable[tuple[Owner, Iterable[Address]]]) -> None:
        """Make the nodes these."""
        found = {pack_address(address): owner for owner, own in nodes for address in own}
        if found == self._nodes:
            return
        for packed in self._nodes.keys() - found.keys():
            self._remember(packed, self._nodes[packed])
        self._nodes = found
        self.version += 1

    def _remember(self, packed: bytes, owner: Owner) -> None:
        self._gone.pop(packed, None)
        self._gone[packed] = owner
        if len(self._gone) > _KEPT_GONE:
            del self._gone[next(iter(self._gone))]
