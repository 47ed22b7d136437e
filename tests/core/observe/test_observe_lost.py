# SPDX-License-Identifier: Apache-2.0
"""What was lost is found by the counters of the kernel."""

from __future__ import annotations

from axoneme.datapath import EventCount, EventType
from axoneme.observe.lost import LossMeter, Lost, Source


def test_only_what_was_lost_since_is_told():
    """By type and CPU; what was lost before it was asked first is another's."""
    meter = LossMeter()
    before = EventCount(EventType.DROPS, 0, seen=100, sent=60, lost=30, limited=10)
    other = EventCount(EventType.FLOWS, 1, seen=5, sent=5, lost=0, limited=0)
    assert meter.measure([before, other], 1) == []
    assert meter.measure([before, other], 2) == []
    after = EventCount(EventType.DROPS, 0, seen=110, sent=62, lost=33, limited=15)
    limited = EventCount(EventType.FLOWS, 1, seen=9, sent=5, lost=0, limited=4)
    assert meter.measure([after, limited], 3) == [
        Lost(3, Source.RING_BUFFER, 3, "drop", 0),
        Lost(3, Source.RATE_LIMIT, 5, "drop", 0),
        Lost(3, Source.RATE_LIMIT, 4, "trace", 1),
    ]
    assert meter.measure([after, limited], 4) == []
