# SPDX-License-Identifier: Apache-2.0
"""Whatever the policies, a look-up in the compiled rule set decides as the reference does."""

from __future__ import annotations

from itertools import product

from hypothesis import event, given, settings
from hypothesis import strategies as st
from tests.core.policy.world import (
    CIDRS,
    IDENTITIES,
    NAMED,
    PEERS,
    PODS,
    cidr_of,
    packets,
    policies,
)

from axoneme.model.identity import OUTSIDE
from axoneme.model.policy import Direction
from axoneme.policy import (
    Party,
    RuleNumbers,
    compile_rule_set,
    decide,
    find_entry,
    is_allowed,
)

SUBJECT = PODS[256]


def compile_for_subject(some):
    """Return the rule set of the pods of one identity, and the numbers of its rules."""
    numbers = RuleNumbers()
    rule_set = compile_rule_set(
        SUBJECT,
        some,
        identities=IDENTITIES,
        cidr_identities=CIDRS.numbers,
        named_ports=NAMED,
        rule_number=numbers.number,
    )
    return rule_set, numbers


@settings(max_examples=150, deadline=None)
@given(policies, st.lists(packets, min_size=1, max_size=4, unique=True))
def test_a_look_up_decides_as_the_reference(some, sent):
    """Allowed or not, by a rule that means the flow or by a default denial."""
    rule_set, numbers = compile_for_subject(some)
    subject = Party(labels=SUBJECT.labels, ports=NAMED[256])
    for (identity, peer), (proto, port), direction in product(PEERS, sent, Direction):
        expected = decide(some, subject, peer, direction=direction, proto=proto, port=port)
        cidr = cidr_of(peer.address)
        found = find_entry(
            rule_set, direction, identity=identity, cidr=cidr, proto=proto, port=port
        )
        allowed = is_allowed(rule_set, direction, found)
        if rule_set.limits and identity not in OUTSIDE and allowed != expected.allowed:
            event("limited")
            assert expected.allowed, "what cannot be expressed is denied"
            continue
        assert allowed == expected.allowed
        if found is None:
            assert not expected.rules
            if not allowed:
                assert rule_set.selected_by(direction) == expected.policies
        else:
            assert numbers.name(found.rule) in expected.rules
            event("decided by a rule")
