# SPDX-License-Identifier: Apache-2.0
"""What an agent says of rows that were carried to another layout of their map."""

from __future__ import annotations

import logging
from pathlib import Path
from unittest.mock import Mock

from axoneme.agent import Agent
from axoneme.datapath import Carried


def test_rows_that_were_lost_are_a_problem_and_others_are_not(caplog):
    """All is in the log; status has what an operator should know."""
    caplog.set_level(logging.INFO)
    agent = Agent(Path(), Mock(), Mock(), Mock(), Mock())
    whole = Carried("conntrack", 1, 2, rows=7)
    lost = [Carried("nat", 1, 2, rows=5, left=2), Carried("known", 1, 2, problem="no types")]
    agent._tell_of_carried([whole, *lost])
    assert agent.notes.problems == [str(one) for one in lost]
    assert str(whole) in caplog.messages
