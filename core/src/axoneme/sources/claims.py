# SPDX-License-Identifier: Apache-2.0
"""Claims: what only one node can have, each a symbolic link from the thing to the node's file.

A symbolic link is made by one system call, which fails if the name is there: so a thing is claimed
once, also when two agents ask at the same time, and no claim is ever half written.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from axoneme.errors import PoolExhausted, StateError
from axoneme.sources._files import SUFFIX, claim_symlink, is_name
from axoneme.sources._networks import Networks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from axoneme.model.node import Network

_NODES = "../nodes/"
_HIGHEST_ID = 0xFFFF


class Claims:
    """The claims of one kind: names of things, each with the node that has it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def claim(self, thing: str, node: str) -> bool:
        """Claim a thing for a node; whether the node has it now.

        Raises:
            StateError: no node can have that name, or nothing can be written.
        """
        if not is_name(node):
            raise StateError(f"a node cannot be called {node!r}", file=str(self.directory))
        target = f"{_NODES}{node}{SUFFIX}"
        return claim_symlink(self.directory / thing, target) or self.owner(thing) == node

    def release(self, thing: str, node: str) -> None:
        """Give up a claim of a node; nothing happens if it has none."""
        if self.owner(thing) == node:
            (self.directory / thing).unlink(missing_ok=True)

    def owner(self, thing: str) -> str | None:
        """Return the node that has a thing; "" if something there does not say."""
        try:
            target = str((self.directory / thing).readlink())
        except FileNotFoundError:
            return None
        except OSError:
            return ""
        if not (target.startswith(_NODES) and target.endswith(SUFFIX)):
            return ""
        return target[len(_NODES) : -len(SUFFIX)]

    def all(self) -> dict[str, str]:
        """Every thing that is claimed, with its node."""
        try:
            names = sorted(path.name for path in self.directory.iterdir())
        except FileNotFoundError:
            return {}
        owners = {name: self.owner(name) for name in names if not name.startswith(".")}
        return {name: owner for name, owner in owners.items() if owner is not None}


class CidrClaims:
    """The networks of nodes' pods: state/cidrs/10.0.1.0_24 and so on."""

    def __init__(self, directory: Path) -> None:
        self._claims = Claims(directory)

    def owner(self, network: Network) -> str | None:
        """Return the node that has claimed a network."""
        return self._claims.owner(_thing(network)) or None

    def of_node(self, node: str) -> tuple[Network, ...]:
        """The networks of one node."""
        return tuple(network for network, owner in self._all() if owner == node)

    def claim(self, network: Network, node: str) -> None:
        """Claim one network for a node; again is no change.

        Raises:
            StateError: another node has it, or part of it.
        """
        other = self._try(network, node)
        if other is not None:
            taken, owner = other
            raise StateError(
                f"node {node} cannot have {network}: node {owner} has claimed {taken}",
                file=str(self._claims.directory / _thing(taken)),
            )

    def claim_any(self, networks: Iterable[Network], node: str, *, pool: str, size: int) -> Network:
        """Claim the first of many networks that nobody has, and return it.

        Raises:
            PoolExhausted: other nodes have all of them.
        """
        taken = self._taken()
        for network in networks:
            if taken.overlapping(network) is None and self._try(network, node) is None:
                return network
        raise PoolExhausted(
            f"every network of it has a node, and {node} has none: give the pool more addresses "
            f"or smaller masks, or remove nodes that are gone from {self._claims.directory}",
            pool=pool,
            size=size,
        )

    def release(self, node: str) -> None:
        """Give up all networks of a node."""
        for network in self.of_node(node):
            self._claims.release(_thing(network), node)

    def _try(self, network: Network, node: str) -> tuple[Network, str] | None:
        """Claim a network; who has it, or part of it, if that is not the node now."""
        before = self._claims.owner(_thing(network))
        if not self._claims.claim(_thing(network), node):
            return network, before or "?"
        # Two nodes with masks that differ may have claimed at once: then both look, and yield.
        others = Networks[str]()
        for one, owner in self._all():
            if one != network:
                others.add(one, owner)
        found = others.overlapping(network)
        if found is not None and before != node:
            self._claims.release(_thing(network), node)
        return found

    def _taken(self) -> Networks[str]:
        taken: Networks[str] = Networks()
        for network, owner in self._all():
            taken.add(network, owner)
        return taken

    def _all(self) -> Iterator[tuple[Network, str]]:
        for thing, owner in self._claims.all().items():
            try:
                yield ip_network(thing.replace("_", "/")), owner or "?"
            except ValueError:
                continue  # nothing of ours


class NodeIds:
    """The numbers of nodes: state/node-ids/1 and so on."""

    def __init__(self, directory: Path) -> None:
        self._claims = Claims(directory)

    def claim(self, node: str) -> int:
        """Return the number of a node, a new one the first time.

        Raises:
            PoolExhausted: there is no number left.
        """
        claimed = self._claims.all()
        known = sorted(int(n) for n, owner in claimed.items() if owner == node and _is_id(n))
        if known:
            return known[0]
        for number in range(1, _HIGHEST_ID + 1):
            if str(number) not in claimed and self._claims.claim(str(number), node):
                return number
        raise PoolExhausted(
            f"remove nodes that are gone from {self._claims.directory}",
            pool="of node numbers",
            size=_HIGHEST_ID,
        )

    def release(self, node: str) -> None:
        """Give up the number of a node."""
        for thing, owner in self._claims.all().items():
            if owner == node:
                self._claims.release(thing, node)


def _thing(network: Network) -> str:
    return str(network).replace("/", "_")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= _HIGHEST_ID
