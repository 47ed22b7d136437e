# SPDX-License-Identifier: Apache-2.0
"""Policies: from manifests to one form, from that to rule sets, and what they mean."""

from __future__ import annotations

from axoneme.policy.compiler import compile_rule_set
from axoneme.policy.lookup import find_entry, is_allowed
from axoneme.policy.numbers import CidrNumbers, RuleNumbers
from axoneme.policy.parse import POLICY_KINDS, parse_policy
from axoneme.policy.reference import Party, Verdict, decide
from axoneme.policy.resolver import Changes, Resolver

__all__ = [
    "POLICY_KINDS",
    "Changes",
    "CidrNumbers",
    "Party",
    "Resolver",
    "RuleNumbers",
    "Verdict",
    "compile_rule_set",
    "decide",
    "find_entry",
    "is_allowed",
    "parse_policy",
]
