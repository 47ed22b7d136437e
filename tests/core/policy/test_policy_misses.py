# SPDX-License-Identifier: Apache-2.0
"""What would let a flow pass that policies refuse."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from attrs import evolve
from hypothesis import event, given, settings
from hypothesis import strategies as st
from tests.core.policy.manifests import cilium_policy, network_policy, parse_one
from tests.core.policy.world import CIDRS, IDENTITIES, PEERS, PODS, cidr_of, packets, policies

from axoneme.model import Identity
from axoneme.model.labels import NAMESPACE
from axoneme.model.policy import TCP, Direction, NamedPort
from axoneme.policy import (
    Actor,
    Party,
    RuleNumbers,
    Scene,
    compile_rule_set,
    find_entry,
    is_allowed,
    near_misses,
)
from axoneme.policy.misses import near_worlds

API, DB = 257, 259
CHANGED = 900


def scene(source, target, port=80, proto=TCP):
    """A flow between two pods, or from an address."""
    return Scene(_actor(source), _actor(target), proto, port)


def _actor(who):
    if isinstance(who, str):
        return Actor(who, Party(ip_address(who)))
    ports = frozenset({NamedPort("http", TCP, 8080)})
    return Actor(f"pod{who}", Party(ip_address("10.1.0.2"), PODS[who].labels, ports))


def told(document, flow, direction=Direction.INGRESS):
    """The near misses of a flow that a policy refuses."""
    return [str(miss) for miss in near_misses([parse_one(document)], flow, direction)]


APPS = {"podSelector": {"matchLabels": {"app": "web"}}}
IN_NETWORK = {"ipBlock": {"cidr": "192.168.0.0/16", "except": ["192.168.0.0/24"]}}


@pytest.mark.parametrize(
    ("source", "port", "rule", "words"),
    [
        (API, 80, {"from": [APPS]}, ["pod257 had the label app=web"]),
        (256, 80, {"ports": [{"port": 8080}]}, ["it went to port 8080"]),
        (256, 80, {"ports": [{"port": 53, "protocol": "UDP"}]}, ["it went to UDP port 53"]),
        (256, 80, {"ports": [{"port": "http"}]}, ["it went to port 8080, which pod256 calls http"]),
        (
            API,
            80,
            {"from": [APPS], "ports": [{"port": 81}]},
            ["pod257 had the label app=web and it went to port 81"],
        ),
        (
            DB,
            80,
            {"from": [{"namespaceSelector": {"matchLabels": {"team": "blue"}}}]},
            ["the namespace of pod259 had the label team=blue"],
        ),
        (
            "8.8.8.8",
            80,
            {"from": [IN_NETWORK]},
            ["8.8.8.8 had an address in 192.168.0.0/16 and not in 192.168.0.0/24"],
        ),
        ("2001:db8::1", 80, {"from": [IN_NETWORK]}, []),
        (API, 80, {"from": [IN_NETWORK]}, []),
        ("8.8.8.8", 80, {"from": [APPS]}, []),
    ],
)
def test_the_smallest_change_is_told(source, port, rule, words):
    """Labels of pods and namespaces, ports and networks; a pod does not choose its address."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]}
    assert told(network_policy(spec), scene(source, 256, port)) == words


def test_of_what_is_sent_the_receiver_s_labels_count():
    """The policies are those of the sender then."""
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [APPS]}]}
    found = told(network_policy(spec), scene(256, API), Direction.EGRESS)
    assert found == ["pod257 had the label app=web"]


def test_a_denial_is_over_without_the_label_or_the_rule():
    """Both are one change."""
    denying = {"matchLabels": {"app": "api"}}
    spec = {"ingressDeny": [{"fromEndpoints": [denying]}], "ingress": [{"fromEntities": ["all"]}]}
    assert told(cilium_policy(spec), scene(API, 256)) == [
        "pod257 did not have the label app",
        "cnp front/web ingressDeny[0] were not there",
    ]


def test_where_both_ends_refuse_it_is_said():
    """A change that helps one end only is told as such."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [APPS]}]}
    (miss,) = near_misses([parse_one(network_policy(spec))], scene(API, 256), Direction.INGRESS)
    assert not miss.whole


@settings(max_examples=100, deadline=None)
@given(policies, st.sampled_from(PEERS), packets, st.sampled_from(Direction))
def test_what_is_told_is_so_for_the_compiler_too(some, peer, packet, direction):
    """Whatever the policies: the rule set of the changed world lets the flow pass."""
    subject = Actor("subject", Party(ip_address("10.1.0.3"), PODS[256].labels))
    ends = [Actor("peer", peer[1]), subject]
    source, target = ends if direction is Direction.INGRESS else reversed(ends)
    flow = Scene(source, target, *packet)
    if flow.verdict(some, direction).allowed:
        return
    for miss, (changed, world) in near_worlds(some, flow, direction):
        event(f"{len(miss.changes)} changes")
        assert _passes(changed, world, peer, direction)


def _passes(some, world, peer, direction):
    """What a look-up in the compiled rule set decides."""
    party, other = world.subject(direction).party, world.peer(direction).party
    number = peer[0]
    if other.labels is not None and NAMESPACE in other.labels:
        number = CHANGED
    identities = {**IDENTITIES, CHANGED: Identity(CHANGED, other.known_labels)}
    rule_set = compile_rule_set(
        evolve(PODS[256], labels=party.labels),
        some,
        identities=identities,
        cidr_identities=CIDRS.numbers,
        named_ports={256: party.ports, number: other.ports},
        rule_number=RuleNumbers().number,
    )
    if rule_set.limits:
        return True  # what cannot be expressed is denied, and said elsewhere
    found = find_entry(
        rule_set,
        direction,
        identity=number,
        cidr=cidr_of(other.address),
        proto=world.proto,
        port=world.port,
    )
    return is_allowed(rule_set, direction, found)
