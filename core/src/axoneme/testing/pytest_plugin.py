# SPDX-License-Identifier: Apache-2.0
r"""Fixtures for tests of the datapath and of plugins; pytest finds them when axoneme is installed.

    pytestmark = pytest.mark.axoneme_plugin("tc", "[tc]\nadmit = false")

    def test_any_source_is_admitted(pipeline):
        pod = pipeline.add_pod()
        ...

Each test that takes `pipeline` runs twice: with core and the plugin alone, and with every plugin
that is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.testing.nodes import Node
    from axoneme.testing.pipelines import Pipeline

_MARK = "axoneme_plugin"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(name, toml=''): the plugin under test, and the configuration's sections",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take `pipeline` with the plugin alone, and with all."""
    if "pipeline" in metafunc.fixturenames and metafunc.definition.get_closest_marker(_MARK):
        metafunc.parametrize("plugins_beside", ["alone", "with_all"])


@pytest.fixture
def plugins_beside() -> str:
    """Which plugins are on beside the one under test: "alone" is none, "with_all" all others."""
    return "alone"


@pytest.fixture
def node() -> Iterator[Node]:
    """A node of the test's own."""
    from axoneme.testing.nodes import Node

    with Node() as made:
        yield made


@pytest.fixture
def require_feature() -> Callable[[str], None]:
    """A function that skips the test if the kernel lacks a feature.

    On a kernel that should have it, the test fails instead: a skip cannot hide a broken probe.
    """
    from axoneme.testing.features import require

    return require


@pytest.fixture
def pipeline(
    request: pytest.FixtureRequest,
    node: Node,
    plugins_beside: str,
    record_property: Callable[[str, object], None],
) -> Iterator[Pipeline]:
    """A node with the plugin of the marker linked in, and pods to come."""
    marker = request.node.get_closest_marker(_MARK)
    plugin, toml = (*marker.args, "")[:2] if marker else ("", "")
    record_property("plugin", plugin or "core")
    from axoneme.testing.pipelines import Pipeline, installed_plugins

    plugins = installed_plugins() if plugins_beside == "with_all" else ({plugin} - {""})
    with Pipeline(node, sorted({*plugins, plugin} - {""}), toml) as made:
        if plugin:
            assert made.status(plugin) == "on"
        record_property("loader", made.loader(plugin))
        yield made
