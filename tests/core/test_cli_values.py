# SPDX-License-Identifier: Apache-2.0
"""Values of the command line, and what is made of an agent's answers."""

from __future__ import annotations

import click
import pytest
from rich.console import Console

from axoneme.cli._durations import Duration
from axoneme.cli.plugins import _since
from axoneme.cli.views import findings_view


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("1.5s", 1.5)],
)
def test_a_time_is_written_as_people_write_it(text, seconds):
    """A number alone is seconds."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5x", "-5s", "5m later"])
def test_what_is_no_time_is_refused(text):
    """With what one looks like."""
    with pytest.raises(click.BadParameter, match="such as 30s, 5m or 1h30m"):
        Duration().convert(text, None, None)


def test_runs_of_a_program_that_was_swapped_begin_anew():
    """What the old one has counted is no part of it."""
    before = {"name": "from_pod", "runs": 100, "nanoseconds": 5000}
    assert _since({"name": "from_pod", "runs": 104, "nanoseconds": 5400}, before) == {
        "name": "from_pod",
        "runs": 4,
        "each": 100,
    }
    assert _since({"name": "from_pod", "runs": 2, "nanoseconds": 100}, before)["each"] == 50
    assert _since(before, before)["each"] is None


def test_a_sentence_with_brackets_is_shown_as_it_is():
    """An agent's words are no markup."""
    console = Console(width=200)
    row = {"subject": "node", "problem": "agent.uplinks[0] is [red]", "remedy": "mend [it]"}
    with console.capture() as captured:
        console.print(findings_view([row]))
    assert "agent.uplinks[0] is [red]" in captured.get()
    assert "do mend [it]" in captured.get()
