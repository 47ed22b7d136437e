# SPDX-License-Identifier: Apache-2.0
"""The operator's tutorial: it is followed to its end on this machine, and leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.system.author import ROOT, Author
from tests.system.tutorial import Reader, blocks

from axoneme.lab import Lab

PAGE = ROOT / "docs" / "tutorial" / "first-network.md"


@pytest.fixture
def lab(monkeypatch):
    """The lab that the reader makes, by a name of this test's: others may be up beside it."""
    lab = Lab(f"lab{os.getpid()}")
    monkeypatch.setenv("AXONEME_LAB", lab.name)
    yield lab
    lab.down()


@pytest.mark.timeout(300)
def test_the_tutorial_says_the_truth(lab, tmp_path):
    """Every command does what is said, and prints what is shown."""
    reader = Reader(Author(tmp_path))
    for block in blocks(PAGE):
        reader.follow(block)
    assert not lab.directory.exists()
    assert not list(Path("/run/netns").glob(f"{lab.name}-*"))
    assert list(reader.cwd.iterdir()) == []
