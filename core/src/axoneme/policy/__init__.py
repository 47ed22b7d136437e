# SPDX-License-Identifier: Apache-2.0
"""Policies: from manifests to one form, from that to rule sets, and what they mean."""

from __future__ import annotations

from axoneme.policy.compiler import compile_rule_set
from axoneme.policy.lookup import find_entry, is_allowed
from axoneme.policy.misses import Miss, near_misses
from axoneme.policy.numbers import CidrNumbers, RuleNumbers
from axoneme.policy.parse import POLICY_KINDS, parse_policy
from axoneme.policy.reference import Party, Verdict, decide
from axoneme.policy.resolver import Changes, Resolver
from axoneme.policy.scenes import Actor, Scene

__all__ = [
    "POLICY_KINDS",
    "Actor",
    "Changes",
    "CidrNumbers",
    "Miss",
    "Party",
    "Resolver",
    "RuleNumbers",
    "Scene",
    "Verdict",
    "compile_rule_set",
    "decide",
    "find_entry",
    "is_allowed",
    "near_misses",
    "parse_policy",
]
