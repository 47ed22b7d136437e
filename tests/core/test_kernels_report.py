# SPDX-License-Identifier: Apache-2.0
"""The table, the faults and the totals of a run on several kernels."""

from __future__ import annotations

from tests.kernels.report import Run, faults, judge, table, totals
from tests.kernels.results import Outcome, Result

PASSED = Result("test_it::test_a", "tc", "libbpf", Outcome.PASSED)
FAILED = Result("test_it::test_b", "tc", "libbpf", Outcome.FAILED)
NO_TCX = Result("test_it::test_c", "tc", "libbpf", Outcome.SKIPPED, "tcx")
NO_NETKIT = Result("test_it::test_d", "tc", "libbpf", Outcome.SKIPPED, "netkit")
BCC = Result("test_it::test_e", "portguard", "bcc", Outcome.PASSED)


def test_the_table_has_a_row_a_plugin_and_loader_and_a_column_a_kernel() -> None:
    """What was not tried on a kernel is a dash."""
    runs = [
        Run("6.1", (PASSED, PASSED, NO_TCX, NO_NETKIT, NO_TCX)),
        Run("6.12", (PASSED, FAILED, BCC)),
    ]
    assert table(runs).splitlines() == [
        "plugin     loader  6.1                               6.12",
        "-" * 71,
        "portguard  bcc     -                                 1 passed",
        "tc         libbpf  2 passed, 3 skipped: netkit, tcx  1 FAILED, 1 passed",
    ]


def test_a_run_without_tests_has_an_empty_column() -> None:
    """The table still names the kernel."""
    assert table([Run("6.1")]).splitlines()[0] == "plugin  loader  6.1"


def test_a_skip_without_words_is_shown_as_one() -> None:
    """An empty reason must not look like a missing one."""
    silent = Result("test_it::test_f", "tc", "libbpf", Outcome.SKIPPED)
    assert table([Run("6.1", (silent,))]).endswith("1 skipped: no reason")


def test_good_runs_have_no_faults() -> None:
    """Skipped tests are no fault."""
    assert faults([judge("6.1", (PASSED, NO_TCX), 0)]) == []


def test_every_failed_test_is_named_with_its_kernel() -> None:
    """The same test may fail on one of them only."""
    assert faults([judge("6.1", (PASSED, FAILED), 1)]) == ["6.1: FAILED test_it::test_b"]


def test_a_kernel_that_ran_no_test_is_a_fault() -> None:
    """A suite that skips itself proves nothing."""
    assert faults([judge("6.1", (NO_TCX,), 0)]) == ["6.1: no test ran (pytest's exit code: 0)"]


def test_an_exit_code_that_no_failed_test_explains_is_a_fault() -> None:
    """pytest may break off, or be killed, after tests that passed."""
    (fault,) = faults([judge("6.1", (PASSED,), 3)])
    assert fault == "6.1: no test failed, yet pytest's exit code is 3"


def test_the_totals_read_like_pytests() -> None:
    """Other tools count by this line."""
    runs = [Run("6.1", (PASSED, NO_TCX)), Run("6.12", (PASSED, FAILED, BCC))]
    assert totals(runs) == "kernels: 3 passed, 1 failed, 1 skipped"


def test_a_machine_that_died_counts_as_a_failure() -> None:
    """Its tests are unknown, so the line must not look good."""
    assert (
        totals([Run("6.1", problem="the guest died")]) == "kernels: 0 passed, 1 failed, 0 skipped"
    )
