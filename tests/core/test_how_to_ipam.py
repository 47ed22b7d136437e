# SPDX-License-Identifier: Apache-2.0
"""How to write an IPAM plugin: who reads the page has the example, to the byte."""

from __future__ import annotations

from pathlib import Path

from tests.system.tutorial import blocks, files

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
