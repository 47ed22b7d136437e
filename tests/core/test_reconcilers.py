# SPDX-License-Identifier: Apache-2.0
"""Reconcilers of a node: each does its work, whatever becomes of the others."""

from __future__ import annotations

import pytest

from axoneme.agent.reconcilers import Reconcilers, Repair
from axoneme.datapath import Drift
from axoneme.errors import AxonemeError


def made(*repairs):
    """A registry with functions by name."""
    reconcilers = Reconcilers()
    for name, function in repairs:
        reconcilers.add(Repair(name, function))
    return reconcilers


def fail(error):
    """A function that raises."""

    def function():
        raise error

    return function


def test_what_drifted_is_named_by_the_reconciler_that_found_it():
    """In the order in which they were added; who found nothing says nothing."""
    drift = Drift("from_pod on axn3 (tcx ingress)", "our program was detached")
    reconcilers = made(("links", lambda: [drift]), ("routes", list), ("maps", lambda: ["a", "b"]))
    found = reconcilers.repair()
    assert [(finding.reconciler, finding.text) for finding in found] == [
        ("links", "from_pod on axn3 (tcx ingress): our program was detached"),
        ("maps", "a"),
        ("maps", "b"),
    ]
    assert str(found[1]) == "repaired: a"


@pytest.mark.parametrize(
    "error", [AxonemeError("no room"), OSError(28, "no room"), ZeroDivisionError("no room")]
)
def test_one_that_fails_is_named_and_the_others_work(error):
    """Also when it fails in a way that nobody foresaw."""
    found = made(("first", fail(error)), ("second", lambda: ["found"])).repair()
    assert [(finding.reconciler, finding.repaired) for finding in found] == [
        ("first", False),
        ("second", True),
    ]
    assert "no room" in str(found[0])
    assert str(found[0]).startswith("cannot repair: first: ")


def test_one_that_fails_on_its_way_is_named():
    """What a generator found before is told with the rest next time."""

    def generate():
        yield "found"
        raise AxonemeError("then it failed")

    (finding,) = made(("one", generate)).repair()
    assert not finding.repaired


def test_a_name_is_given_once():
    """Two of one name could not be told apart."""
    reconcilers = made(("routes", list))
    with pytest.raises(ValueError, match="routes"):
        reconcilers.add(Repair("routes", list))
    assert reconcilers.names == ("routes",)
