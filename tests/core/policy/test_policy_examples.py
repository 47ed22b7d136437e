# SPDX-License-Identifier: Apache-2.0
"""The policies that people are given to try."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from axoneme.sources.manifests.reader import read_manifests

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "policies").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_taken_as_it_is(path, tmp_path):
    """It is one policy, called as its file, and nothing is wrong with it."""
    shutil.copy(path, tmp_path)
    read = read_manifests(tmp_path)
    assert read.problems == ()
    assert {policy.name for policy in read.policies} == {path.stem}


def test_there_are_examples():
    """The command's help names the first."""
    assert "deny-all" in {path.stem for path in EXAMPLES}
