# SPDX-License-Identifier: Apache-2.0
"""Nodes for all packet tests: they send nothing, so they share them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.packets.stub import Stub

from axoneme.datapath import Datapath
from axoneme.testing import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme import PluginObject


@pytest.fixture(autouse=True)
def _place_in_the_table(record_property: Callable[[str, object], None]) -> None:
    """Say whose test it is, for the table of kernels."""
    record_property("plugin", "core")
    record_property("loader", "libbpf")


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """The node of all datapaths that tests make and remove."""
    with Node() as made:
        yield made


@pytest.fixture(scope="session")
def stub_of_the_session() -> Iterator[Stub]:
    """The stub at work in a node of its own."""
    with Node() as node:
        stub = Stub(node)
        yield stub
        stub.pipeline.close()


@pytest.fixture
def stub(stub_of_the_session: Stub) -> Stub:
    """The stub, with all stages answering NEXT and nothing seen yet."""
    stub_of_the_session.reset()
    return stub_of_the_session


@pytest.fixture
def link(node: Node) -> Iterator[Callable[..., Datapath]]:
    """A function that puts plugins into a node's datapath: link(name=object, ...)."""
    datapath = node.call(Datapath.open, node.bpffs)

    def put(**plugins: PluginObject) -> Datapath:
        assembly = node.call(datapath.prepare, {name: [item] for name, item in plugins.items()})
        assert assembly.refused == []
        node.call(datapath.commit, assembly)
        return datapath

    yield put
    node.call(datapath.remove)
