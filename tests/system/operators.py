# SPDX-License-Identifier: Apache-2.0
"""A cluster of node resources without nodes, and operators that serve it."""

from __future__ import annotations

from contextlib import ExitStack
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Self

from tests.system.pools import install_pools

from axoneme.model import NodeRecord
from axoneme.sources import EmbeddedSource
from axoneme.testing.operators import OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from axoneme.model import Network

_FIRST = IPv4Address("172.30.0.0")


class Operated:
    """A state directory, and operators with the plugin pools."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.source = EmbeddedSource(directory / "state")
        self.source.create()
        self.manifests = directory / "manifests"
        self.manifests.mkdir()
        self.environment = install_pools(directory / "plugins")
        self._stack = ExitStack()

    def operator(
        self, name: str, sections: str = "", plugins: Sequence[str] = ("pools",), **options: Any
    ) -> OperatorProcess:
        """An operator that is configured, and does not run yet; it ends with the test."""
        made = OperatorProcess(
            self.directory / name, self.source.state, environment=self.environment, **options
        )
        self._stack.callback(made.__exit__, None, None, None)
        self.configure(made, sections, plugins)
        return made

    def configure(
        self, operator: OperatorProcess, sections: str = "", plugins: Sequence[str] = ("pools",)
    ) -> None:
        """Write an operator's configuration: keys of [agent], then sections."""
        operator.configure(plugins, f'manifests-dir = "{self.manifests}"\n{sections}')

    def add_nodes(self, count: int, first: int = 1) -> list[str]:
        """Make resources of nodes that have nothing."""
        names = [f"node{number}" for number in range(first, first + count)]
        for number, name in enumerate(names, first):
            self.source.nodes.write(NodeRecord(name, (_FIRST + number,)))
        return names

    def networks(self) -> dict[str, tuple[Network, ...]]:
        """What each node has."""
        return {record.name: record.networks for record in self.source.nodes.read().records}

    @property
    def served(self) -> bool:
        """Whether every node has something."""
        return all(self.networks().values())

    def check(self, nodes: int, networks: int = 1) -> None:
        """See that each of so many nodes has so many networks, and each network one node."""
        found = self.networks()
        assert len(found) == nodes
        assert self.source.nodes.read().problems == ()
        assert [len(own) for own in found.values()] == [networks] * nodes
        assert len({one for own in found.values() for one in own}) == nodes * networks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
