# SPDX-License-Identifier: Apache-2.0
"""The pages about IPAM: who reads the one has the example, and what the other shows works."""

from __future__ import annotations

import re
from pathlib import Path

from tests.system.tutorial import blocks, files

from axoneme.config import read_config
from axoneme.host import PluginHost
from axoneme.sources.manifests import read_manifests

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "write-an-ipam-plugin.md"
EXAMPLE = ROOT / "examples" / "axoneme-fileipam"


def test_the_page_has_all_of_the_example():
    """Each file, in pieces or whole; what is not shown is empty, or is the README."""
    written = files(blocks(PAGE))
    for path in EXAMPLE.rglob("*.py"):
        assert written.pop(str(path.relative_to(EXAMPLE)), "") == path.read_text(), path
    assert written == {"pyproject.toml": (EXAMPLE / "pyproject.toml").read_text()}


def test_the_example_is_under_100_lines():
    """All its Python together."""
    lines = [line for path in EXAMPLE.rglob("*.py") for line in path.read_text().splitlines()]
    assert len(lines) < 100


def test_the_examples_of_modes_are_taken(tmp_path):
    """What the page about modes shows is read by agent and manifests without a problem."""
    text = (PAGE.parent / "choose-an-ipam-mode.md").read_text()
    shown = re.findall(r"^```(toml|yaml)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for number, (language, block) in enumerate(shown):
        (tmp_path / f"{number}.{language}").write_text(block)
        if language == "toml":
            configuration = read_config(tmp_path / f"{number}.toml", PluginHost())
            assert {"tc", "ipam"} <= configuration.sections.keys()
    manifests = read_manifests(tmp_path)
    assert (manifests.problems, manifests.ignored) == ((), {})
    assert manifests.pools.keys() == {"default", "partners"}
    assert manifests.namespace_annotations("gateway") == {"ipam.cilium.io/ip-pool": "partners"}
    assert len(manifests.node_cidrs["node1"]) == 2
