# SPDX-License-Identifier: Apache-2.0
"""Golden layouts: no map changes its bytes without a new number."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core import layouts


@pytest.mark.parametrize("name", layouts.distributions())
def test_the_maps_of_a_distribution_are_as_they_were(name):
    """Every field of every map lies where the golden file says."""
    found = layouts.layouts(layouts.compiled(layouts.distributions()[name]))
    golden = layouts.read(layouts.GOLDEN / f"{name}.layout")
    problems = layouts.compare(golden, found)
    assert not problems, "\n\n".join(problems)


def test_every_golden_file_is_of_a_distribution():
    """What is gone leaves no file."""
    names = {path.stem for path in layouts.GOLDEN.glob("*.layout")}
    assert names == layouts.distributions().keys()


@pytest.fixture
def golden():
    """The layouts of core's own maps."""
    return layouts.read(layouts.GOLDEN / "axoneme.layout")


def test_a_changed_layout_with_its_old_number_says_what_to_do(golden):
    """It names the map, both layouts, and the number to give."""
    old = golden["endpoints"]
    moved = replace(old, rows=(*old.rows[:-1], old.rows[-1].replace("28", "24")))
    (problem,) = layouts.compare(golden, golden | {"endpoints": moved})
    assert problem.startswith("map endpoints has another layout under the same number: give")
    assert f"AXN_LAYOUT({old.number + 1})" in problem
    assert str(old) in problem
    assert str(moved) in problem


def test_a_changed_layout_with_a_new_number_is_to_be_kept(golden):
    """Nothing is wrong with it but the file."""
    old = golden["endpoints"]
    new = replace(old, number=old.number + 1, rows=old.rows[:-1])
    problems = layouts.compare(golden, golden | {"endpoints": new})
    assert problems == ["map endpoints, layout 3, is not kept yet: python -m tests.core.layouts"]


def test_a_map_that_is_gone_is_noticed(golden):
    """Its pin is removed by the next agent: that is worth a line in a review."""
    problems = layouts.compare(golden, {n: m for n, m in golden.items() if n != "probes"})
    assert problems == ["map probes is gone: python -m tests.core.layouts"]
