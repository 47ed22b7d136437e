# SPDX-License-Identifier: Apache-2.0
"""What an agent notes: rows that were carried to another layout of their map, errors of its own."""

from __future__ import annotations

import logging

from axoneme.agent.notes import Notes
from axoneme.datapath import Carried


def test_rows_that_were_lost_are_a_problem_and_others_are_not(caplog):
    """All is in the log; status has what an operator should know."""
    caplog.set_level(logging.INFO)
    notes = Notes()
    whole = Carried("conntrack", 1, 2, rows=7)
    lost = [Carried("nat", 1, 2, rows=5, left=2), Carried("known", 1, 2, problem="no types")]
    notes.carried([whole, *lost])
    assert notes.problems == [str(one) for one in lost]
    assert str(whole) in caplog.messages


def test_an_error_of_its_own_is_told_from_others_as_long_as_it_is_kept():
    """It is one of the problems; older ones leave for newer ones."""
    notes = Notes()
    notes.note("a file is wrong")
    notes.fault("it failed")
    assert notes.problems == ["a file is wrong", "it failed"]
    assert (notes.is_fault("it failed"), notes.is_fault("a file is wrong")) == (True, False)
    for number in range(20):
        notes.fault(f"it failed {number}")
    assert not notes.is_fault("it failed")
    assert notes.is_fault("it failed 19")
