# SPDX-License-Identifier: Apache-2.0
"""The datapath's clock: spans of time in its units, and how many jiffies a second has."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axoneme.datapath import clock
from axoneme.datapath.clock import Jiffies, guess, now, seconds, units

SECOND = 1_000_000_000
COUNTS = (100, 250, 300, 1000)


@pytest.fixture
def usual(monkeypatch):
    """A kernel with 250 jiffies a second."""
    monkeypatch.setattr(clock, "jiffies", lambda: Jiffies(250, (1 << 32) - 300 * 250))


@pytest.mark.parametrize(
    ("given_seconds", "wanted"), [(0, 1), (0.001, 1), (1, 8), (10, 79), (60, 469), (8000, 62500)]
)
@pytest.mark.usefixtures("usual")
def test_a_span_is_never_shorter_in_units(given_seconds, wanted):
    """A unit is 32 jiffies; what is left over counts as a whole one."""
    assert units(given_seconds) == wanted


@given(st.floats(0.4, 1e7))
def test_a_span_comes_back_within_a_unit(span):
    """Seconds to units and back."""
    assert 0 <= seconds(units(span)) - span + 0.001 < 0.33


def test_the_clock_only_goes_on(monkeypatch):
    """Whatever the machine's time is set to, it does not jump."""
    before = now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert 0 <= now() - before <= units(60)


@pytest.mark.parametrize("hz", COUNTS)
@pytest.mark.parametrize("uptime", [1, 60, 279, 321, 400, 3600, 1e5, 3e6, 4e7])
def test_jiffies_and_the_time_since_the_start_say_how_many_a_second_has(hz, uptime):
    """Also where jiffies began a little late, and after their lower half has come round."""
    count = (-300 * hz + int(uptime * hz) - 3) % (1 << 32)
    assert guess(int(uptime * SECOND), count) == hz


@pytest.mark.parametrize("uptime", [290, 300, 310])
def test_near_the_moment_when_they_come_round_nothing_is_guessed(uptime):
    """All counts have about the same number then: it is measured."""
    assert guess(uptime * SECOND, 0) == 0
