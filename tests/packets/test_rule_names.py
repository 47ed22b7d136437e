# SPDX-License-Identifier: Apache-2.0
"""The names of rules in their map: those that have numbers, and no other."""

from __future__ import annotations

import pytest

from axoneme.datapath import RuleNames


@pytest.fixture
def written(link, node):
    """Write numbers of names, and return what another agent would find then."""
    datapath = link()
    names = node.call(RuleNames.open, datapath)

    def write(numbers: dict[str, int]) -> dict[str, int]:
        node.call(names.write, numbers)
        return node.call(RuleNames.open, datapath).read()

    return write


def test_names_come_and_go(written):
    """Each time the map has those of the last time, also where only one is another."""
    for numbers in ({"a": 16, "b": 17}, {"a": 16, "c": 18}, {"a": 16, "c": 18}, {}, {"d": 19}):
        assert written(numbers) == numbers


def test_a_number_goes_from_one_name_to_another(written):
    """As when all numbers have been given once."""
    written({"a": 16, "b": 17})
    assert written({"b": 16, "c": 17}) == {"b": 16, "c": 17}


def test_what_an_earlier_agent_left_and_nobody_has_goes(link, node):
    """With the first that is written."""
    datapath = link()
    node.call(node.call(RuleNames.open, datapath).write, {"a": 16, "b": 17})
    names = node.call(RuleNames.open, datapath)
    node.call(names.write, {"b": 17})
    assert node.call(RuleNames.open, datapath).read() == {"b": 17}
