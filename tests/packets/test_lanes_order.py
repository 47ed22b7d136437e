# SPDX-License-Identifier: Apache-2.0
"""In what order plugins that fill one stage say that their lanes run."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from tests.packets.lanes import lane, ran

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.datapath import Datapath


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ({"a": "AXN_AFTER(b)"}, "bac"),
        ({"a": "AXN_AFTER(c)"}, "bca"),
        ({"c": "AXN_BEFORE(a)"}, "bca"),
        ({"c": "AXN_BEFORE(a) AXN_BEFORE(b)"}, "cab"),
        ({"a": "AXN_AFTER(b)", "b": "AXN_AFTER(c)"}, "cba"),
        ({"a": "AXN_AFTER(b) AXN_AFTER(b)"}, "bac"),
        ({"a": "AXN_AFTER(elsewhere) AXN_BEFORE(nobody)"}, "abc"),
        ({"a": "AXN_AFTER(a)"}, "abc"),
    ],
    ids=str,
)
def test_lanes_run_as_their_plugins_declare(
    link: Callable[..., Datapath], orders: dict[str, str], expected: str
) -> None:
    """Before and after come first, then the name; those who are not there count for nothing."""
    assert ran(link(**{name: lane(name, orders.get(name, "")) for name in "abc"})) == expected


def test_the_order_is_the_same_however_plugins_come(link: Callable[..., Datapath]) -> None:
    """Every order of enabling gives one order of lanes."""
    objects = {"a": lane("a", "AXN_AFTER(c)"), "b": lane("b"), "c": lane("c")}
    found = {ran(link(**{name: objects[name] for name in names})) for names in permutations("abc")}
    assert found == {"bca"}
