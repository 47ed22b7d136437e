# SPDX-License-Identifier: Apache-2.0
"""Numbers of rules and networks: stable, and reused late."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from axoneme import DatapathError
from axoneme.policy import CidrNumbers, RuleNumbers
from axoneme.policy import numbers as numbers_module

TEN, FAR = ip_network("10.0.0.0/8"), ip_network("fd00::/8")


def test_a_rule_keeps_its_number():
    """Also over a restart, given what was known before."""
    before = RuleNumbers()
    assert before.number("default/web ingress[0]") == 16
    assert before.number("default/web ingress[1]") == 17
    after = RuleNumbers(before.numbers)
    assert after.number("default/web ingress[1]") == 17
    assert after.number("default/new egress[0]") == 18
    assert after.name(16) == "default/web ingress[0]"
    assert after.name(99) is None


def test_numbers_that_are_free_again_wait():
    """Flows that were let through under a rule still have its number."""
    rules = RuleNumbers()
    for name in "abc":
        rules.number(name)
    rules.retain(["b"])
    assert rules.numbers == {"b": 17}
    assert rules.number("d") == 19
    assert rules.number("a") == 20


def test_the_range_is_used_up_before_it_wraps(monkeypatch):
    """Then the lowest free number is given, and with none left the error says so."""
    monkeypatch.setattr(numbers_module, "LAST_RULE", 18)
    rules = RuleNumbers({"a": 16, "c": 18})
    assert rules.number("b") == 17
    with pytest.raises(DatapathError, match="all 3 numbers for rules are taken"):
        rules.number("d")
    rules.retain(["a", "b"])
    assert rules.number("d") == 18


def test_numbers_that_cannot_be_are_forgotten():
    """A map with garbage does not harm: two names for a number, a number out of range."""
    rules = RuleNumbers({"a": 16, "b": 16, "zero": 0, "far": 1 << 20})
    assert rules.numbers == {"a": 16}


def test_networks_have_numbers_of_their_own():
    """Both whole families always have one, so that every address is in some network."""
    cidrs = CidrNumbers()
    assert {str(network) for network in cidrs.numbers} == {"0.0.0.0/0", "::/0"}
    assert cidrs.number(TEN) == (1 << 24) + 2
    cidrs.retain([FAR])
    assert TEN not in cidrs.numbers
    assert len(cidrs.numbers) == 2
    assert CidrNumbers({TEN: (1 << 24) + 7}).numbers[TEN] == (1 << 24) + 7
