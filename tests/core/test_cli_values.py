# SPDX-License-Identifier: Apache-2.0
"""Values of the command line, and what is made of an agent's answers."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from axoneme.cli._durations import Duration
from axoneme.cli._options import print_value
from axoneme.cli.plugins import _since
from axoneme.cli.rows import table
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


def test_a_table_is_a_line_a_row_and_colour_moves_no_column():
    """However long a line is; what is not there is a dash, for awk."""
    rows = [
        {"name": "one", "state": "on", "note": "long " * 60},
        {"name": "another", "state": "rejected", "note": None},
    ]
    columns = {"NAME": "name", "STATE": lambda row: row["state"].upper(), "NOTE": "note"}
    plain = list(table(rows, columns))
    assert [line[:24] for line in plain] == [
        "NAME     STATE     NOTE",
        "one      ON        long ",
        "another  REJECTED  -",
    ]
    inked = list(table(rows, columns, {"STATE": lambda row, text: click.style(text, fg="red")}))
    assert inked != plain
    assert list(map(click.unstyle, inked)) == plain


@pytest.mark.parametrize(("variable", "colour"), [("", True), ("1", False)])
def test_colour_is_left_out_where_nobody_wants_it(monkeypatch, variable, colour):
    """NO_COLOR, as everywhere."""
    monkeypatch.setenv("NO_COLOR", variable)
    command = click.Command("well", callback=lambda: print_value([], "table", findings_view))
    assert ("\x1b[" in CliRunner().invoke(command, color=True).output) is colour
