# SPDX-License-Identifier: Apache-2.0
"""Claims: what only one node can have, each a symbolic link from the thing to the node's file.

A symbolic link is made by one system call, which fails if the name is there: so a thing is claimed
once, also when two agents ask at the same time, and no claim is ever half written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme.errors import PoolExhausted, StateError
from axoneme.sources._files import SUFFIX, claim_symlink, is_name

if TYPE_CHECKING:
    from pathlib import Path

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


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= _HIGHEST_ID
