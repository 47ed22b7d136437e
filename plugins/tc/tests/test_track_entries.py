# SPDX-License-Identifier: Apache-2.0
"""track: entries that are not what they were, which another CPU may have made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plugins.tc.tests.tracking import NEW, between

from axoneme.datapath import Verdict

if TYPE_CHECKING:
    from plugins.tc.tests.tracking import Tracking


def reworded(track: Tracking, change: int) -> None:
    """Give the one entry another word."""
    ((key, value),) = track.raw().items()
    word = int.from_bytes(value[:8], "little") ^ change
    track.overwrite({key: word.to_bytes(8, "little") + value[8:]})


def test_an_entry_with_another_flows_cookie_is_never_used(track):
    """After some looks at it the packet is dropped, and named: the next finds its own."""
    track.send(between(4, "UDP"))
    reworded(track, 1)
    before = track.raw()
    assert track.send(between(4, "UDP")).verdict == Verdict.DROP
    assert track.reasons() == {"conntrack_busy": 1}
    assert track.raw() == before


def test_an_entry_that_is_leaving_is_neither_used_nor_revived(track):
    """Its flow is new, and until the entry is gone its packets are dropped, and named."""
    track.send(between(4, "UDP"))
    ((_, value),) = track.raw().items()
    reworded(track, int.from_bytes(value[4:8], "little") << 32)
    before = track.raw()
    assert track.flow.expiry == 0
    assert track.send(between(4, "UDP")).verdict == Verdict.DROP
    assert track.seen()["conntrack"] == NEW
    assert track.reasons() == {"conntrack_busy": 1}
    assert track.raw() == before


@pytest.mark.parametrize("bit", [0, 7, 19])
def test_a_grant_with_another_cookie_does_not_hold(track, bit):
    """Nor is it written over: it may be another flow's by now."""
    track.send(between(4, "UDP"))
    ((key, value),) = track.raw().items()
    grant = int.from_bytes(value[8:16], "little") ^ 1 << bit
    track.overwrite({key: value[:8] + grant.to_bytes(8, "little") + value[16:]})
    before = track.raw()
    assert track.send(between(4, "UDP")).verdict == Verdict.DROP
    assert track.asked() == (2, 1)
    assert track.raw() == before


def test_cookies_follow_the_seed(track):
    """Without the seed nobody can tell which flows share one."""
    words = set()
    for seed in (1, 2, 3):
        track.conntrack.clear()
        track.runtime.put(generation=1, seed=seed)
        track.send(between(4, "UDP"))
        ((_, value),) = track.raw().items()
        words.add((value[:3], value[8:10]))
    assert len(words) == 3
