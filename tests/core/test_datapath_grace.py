# SPDX-License-Identifier: Apache-2.0
"""The kernel's knob is raised for as long as it is needed, and what a dead agent left is undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from axoneme.datapath._grace import expedited_grace_periods

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def knob(tmp_path: Path) -> Path:
    """A knob as the kernel has it."""
    path = tmp_path / "rcu_expedited"
    path.write_text("0\n")
    return path


def test_raised_meanwhile_and_restored(knob: Path, tmp_path: Path) -> None:
    """One inside, nought afterwards, also when what is inside fails."""
    seen = []

    def fail() -> None:
        with expedited_grace_periods(knob, tmp_path / "lock"):
            seen.append(knob.read_text())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [*seen, knob.read_text()] == ["1", "0"]


def test_an_operators_setting_stays(knob: Path, tmp_path: Path) -> None:
    """What was one before stays one."""
    knob.write_text("1\n")
    with expedited_grace_periods(knob, tmp_path / "lock"):
        pass
    assert knob.read_text() == "1\n"


def test_what_a_dead_agent_left_is_restored(knob: Path, tmp_path: Path) -> None:
    """An agent that was killed between the two writes leaves word of it in the lock."""
    lock = tmp_path / "lock"
    knob.write_text("1\n")
    lock.write_text("raised\n")
    with expedited_grace_periods(knob, lock):
        pass
    assert knob.read_text() == "0"
    assert lock.read_text() == ""


def test_a_machine_that_does_not_allow_it(tmp_path: Path) -> None:
    """Neither a knob nor a place for the lock: what is inside runs all the same."""
    ran = []
    with expedited_grace_periods(tmp_path / "none" / "knob", tmp_path / "none" / "lock"):
        ran.append(1)
    with expedited_grace_periods(tmp_path / "none" / "knob", tmp_path / "lock"):
        ran.append(2)
    assert ran == [1, 2]
