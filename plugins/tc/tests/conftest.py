# SPDX-License-Identifier: Apache-2.0
"""Two pods of one node, for packets of our making: nothing is sent, so tests share them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen

from axoneme.testing import Node
from axoneme.testing.pipelines import Pipeline, installed_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.datapath import TestRun
    from axoneme.testing import Packet, Pod


@frozen
class Pair:
    """A pipeline with the tc plugin, and two pods: 10.1.0.1 and .2, fd00:10:1::1 and ::2."""

    pipeline: Pipeline
    one: Pod
    two: Pod

    def run(self, packet: Packet | bytes) -> TestRun:
        """Run a packet through from_pod as if the first pod had sent it."""
        return self.pipeline.run("from_pod", bytes(packet), pod=self.one)

    def reason(self, packet: Packet | bytes) -> str:
        """The name of the reason for which a packet of the first pod is dropped, or nothing."""
        before = self.pipeline.drop_reasons()
        self.run(packet)
        after = self.pipeline.drop_reasons()
        return "".join(name for name, count in after.items() if count != before.get(name, 0))


@pytest.fixture(autouse=True)
def _place_in_the_table(record_property: Callable[[str, Any], None]) -> None:
    """Say whose test it is, for the table of kernels."""
    record_property("plugin", "tc")
    record_property("loader", "libbpf")


@pytest.fixture(scope="module", params=["alone", "with_all"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The pair, with core and the plugin alone, and with all plugins that are installed."""
    plugins = {"tc"} | (installed_plugins() if request.param == "with_all" else set())
    with Node() as node, Pipeline(node, sorted(plugins)) as pipeline:
        assert pipeline.status("tc") == "on"
        yield Pair(pipeline, pipeline.add_pod("one"), pipeline.add_pod("two"))
