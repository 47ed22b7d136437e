# SPDX-License-Identifier: Apache-2.0
"""The collector's pace, and the sizes of maps by the machine's memory."""

from __future__ import annotations

import pytest

from axoneme.datapath.collector import (
    LEAST_INTERVAL,
    MOST_INTERVAL,
    Collection,
    next_interval,
)
from axoneme.datapath.conntrack import FlowState, Grant
from axoneme.datapath.sizes import LEAST_ENTRIES, MOST_ENTRIES, dynamic_entries

GIB = 1 << 30


def test_a_grant_is_taken_apart():
    """24 bits of generation, 20 of the rule, 20 that are a cookie."""
    assert Grant.of(0xABCDEF_12345_FFFFF) == Grant(0xABCDEF, 0x12345)
    assert FlowState(16 | 1) == FlowState.CONFIRMED | FlowState.REPLIED


def found(walked: int, deleted: int) -> Collection:
    """What came of a collection."""
    return Collection(walked, deleted, 0, walked - deleted, 0.1)


def test_a_map_that_fills_is_collected_often():
    """As often as it may be."""
    assert next_interval(MOST_INTERVAL, found(600, 0), 1000) == LEAST_INTERVAL


def test_the_interval_follows_what_there_is_to_collect():
    """Shorter when much had to go, longer when little had, and never beyond its bounds."""
    assert next_interval(12, found(100, 50), 1000) == 6
    assert next_interval(12, found(100, 10), 1000) == 12
    assert next_interval(12, found(100, 1), 1000) == 18
    assert next_interval(LEAST_INTERVAL, found(100, 99), 1000) == LEAST_INTERVAL
    assert next_interval(MOST_INTERVAL, found(0, 0), 1000) == MOST_INTERVAL


def test_conntrack_has_its_share_of_the_memory():
    """A quarter of a percent unless said otherwise, 144 bytes an entry."""
    assert dynamic_entries(24 * GIB, 0.0025) == {"conntrack": int(24 * GIB * 0.0025) // 144}
    twice = dynamic_entries(48 * GIB, 0.0025)["conntrack"]
    assert twice == pytest.approx(2 * dynamic_entries(24 * GIB, 0.0025)["conntrack"], abs=2)


def test_small_and_large_machines_have_a_size_that_works():
    """Neither too few entries for a node's flows, nor more than one map should have."""
    assert dynamic_entries(1 * GIB, 0.0025) == {"conntrack": LEAST_ENTRIES}
    assert dynamic_entries(64 * GIB, 0.0) == {"conntrack": LEAST_ENTRIES}
    assert dynamic_entries(4096 * GIB, 0.5) == {"conntrack": MOST_ENTRIES}


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_a_ratio_that_is_none_is_refused(ratio):
    """It is a part of the whole memory."""
    with pytest.raises(ValueError, match="0 to 1"):
        dynamic_entries(GIB, ratio)
