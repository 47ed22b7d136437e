# SPDX-License-Identifier: Apache-2.0
"""Spans of time as people write them."""

from __future__ import annotations

import pytest

from axoneme.config.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2h13m20s", 8000),
        ("60s", 60),
        ("1.5m", 90),
        ("1500ms", 1.5),
        ("1h1ms", 3600.001),
        ("2d", 172800),
        (10, 10),
    ],
)
def test_a_span_of_time_has_its_seconds(text, wanted):
    """As Go writes it, or as a number of seconds."""
    assert parse_duration(text) == pytest.approx(wanted)


@pytest.mark.parametrize("text", ["", "60", "s", "1w", "-5s", "5s 3m", "1h2", "five"])
def test_what_is_no_span_of_time_is_refused(text):
    """The sentence says how to write one."""
    with pytest.raises(ValueError, match="no span of time: write seconds"):
        parse_duration(text)
