# SPDX-License-Identifier: Apache-2.0
"""The resolver: after any change it has what compiling everything anew would give."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.core.policy.manifests import cilium_policy, network_policy, parse_one
from tests.core.policy.world import HTTP, IDENTITIES, NAMED, PODS, policies

from axoneme.model import Identity, pod_labels
from axoneme.policy import CidrNumbers, Resolver, RuleNumbers, compile_rule_set

WEB, API, FAR_API, DB = PODS.values()


def allow_from(app, /, name="web", **subject):
    """Return a policy that lets the pods of an app in."""
    rule = {"from": [{"podSelector": {"matchLabels": {"app": app}}}]}
    return parse_one(network_policy({"podSelector": {"matchLabels": subject}, "ingress": [rule]}))


def resolver_of(*subjects):
    """Return a resolver that knows all pods, some of which are on this node."""
    resolver = Resolver()
    for identity in PODS.values():
        resolver.put_identity(identity, NAMED.get(identity.number, ()))
    for identity in subjects:
        resolver.put_subject(identity.number)
    resolver.resolve()
    return resolver


def test_only_rule_sets_that_a_policy_touches_are_changed():
    """Those of pods that it selects, when it comes, changes and goes."""
    resolver = resolver_of(WEB, API, FAR_API)
    resolver.put_policies("a", [allow_from("api", app="web")])
    assert resolver.resolve().rule_sets.keys() == {WEB.number}
    resolver.put_policies("a", [allow_from("db", app="api")])
    assert resolver.resolve().rule_sets.keys() == {WEB.number, API.number}
    resolver.remove_policies("a")
    changes = resolver.resolve()
    assert changes.rule_sets.keys() == {API.number}
    assert not resolver.rule_sets[API.number].default_deny_ingress


def test_what_says_the_same_changes_nothing():
    """A manifest that is read again, or a policy that is put twice."""
    resolver = resolver_of(WEB)
    resolver.put_policies("a", [allow_from("api")])
    assert resolver.resolve()
    resolver.put_policies("a", [allow_from("api")])
    assert not resolver.resolve()
    resolver.remove_policies("never there")
    assert not resolver.resolve()


def test_an_identity_that_comes_is_let_in():
    """Where a selector means it, and nowhere else; and is taken out when it goes."""
    resolver = resolver_of(WEB, DB)
    resolver.put_policies("a", [allow_from("api", app="web")])
    resolver.resolve()
    new = Identity(300, pod_labels("front", {"app": "api", "x": "y"}, {}))
    resolver.put_identity(new)
    changes = resolver.resolve()
    assert changes.rule_sets.keys() == {WEB.number}
    assert {key.identity for key in changes.rule_sets[WEB.number].entries} == {API.number, 300}
    resolver.remove_identity(300)
    changes = resolver.resolve()
    assert {key.identity for key in changes.rule_sets[WEB.number].entries} == {API.number}


def test_an_identity_without_endpoints_here_is_not_compiled_for():
    """And its rule set goes with its last endpoint."""
    resolver = resolver_of(WEB)
    resolver.put_policies("a", [allow_from("api")])
    assert resolver.resolve().rule_sets.keys() == {WEB.number}
    resolver.put_subject(API.number)
    assert resolver.resolve().rule_sets.keys() == {API.number}
    resolver.remove_subject(WEB.number)
    changes = resolver.resolve()
    assert (changes.rule_sets, changes.removed) == ({}, {WEB.number})


def test_a_network_that_is_named_anew_is_told_to_all_that_name_one():
    """Its addresses were counted for a wider one before."""
    resolver = resolver_of(WEB, API)
    wide = parse_one(
        cilium_policy(
            {
                "endpointSelector": {"matchLabels": {"app": "web"}},
                "egress": [{"toCIDR": ["10.0.0.0/8"]}],
            }
        )
    )
    narrow = parse_one(
        cilium_policy(
            {
                "endpointSelector": {"matchLabels": {"app": "api"}},
                "egressDeny": [{"toCIDR": ["10.1.0.0/16"]}],
            },
            name="api",
        )
    )
    resolver.put_policies("wide", [wide])
    first = resolver.resolve()
    assert {str(network) for network in first.cidrs} == {"10.0.0.0/8"}
    resolver.put_policies("narrow", [narrow])
    changes = resolver.resolve()
    number = changes.cidrs[ip_network("10.1.0.0/16")]
    assert number in {key.identity for key in changes.rule_sets[WEB.number].entries}
    resolver.remove_policies("narrow")
    changes = resolver.resolve()
    assert changes.cidrs_removed == {ip_network("10.1.0.0/16")}
    assert changes.rule_sets.keys() == {WEB.number, API.number}


def test_networks_that_an_earlier_agent_left_are_removed():
    """Unless a policy names them still: then they keep their numbers."""
    ten, old = ip_network("10.0.0.0/8"), ip_network("10.1.0.0/16")
    resolver = Resolver(cidr_numbers=CidrNumbers({ten: (1 << 24) + 5, old: (1 << 24) + 6}))
    policy = parse_one(cilium_policy({"egress": [{"toCIDR": ["10.0.0.0/8"]}]}))
    resolver.put_policies("ten", [policy])
    changes = resolver.resolve()
    assert changes.cidrs_removed == {old}
    assert changes.cidrs[ten] == (1 << 24) + 5
    assert not resolver.resolve()


def test_a_named_port_that_changes_is_resolved_again():
    """The pod's own for what comes in, a peer's for what goes out."""
    resolver = resolver_of(WEB, DB)
    port = [{"port": "http"}]
    coming = network_policy(
        {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": port}]}
    )
    going = network_policy(
        {
            "podSelector": {"matchLabels": {"app": "db"}},
            "policyTypes": ["Egress"],
            "egress": [{"ports": port}],
        },
        namespace="back",
    )
    resolver.put_policies("coming", [parse_one(coming)])
    resolver.put_policies("going", [parse_one(going)])
    resolver.resolve()
    resolver.put_identity(WEB, [HTTP.__class__("http", HTTP.proto, 9999)])
    changes = resolver.resolve()
    assert {key.port for key in changes.rule_sets[WEB.number].entries} == {9999}
    assert 9999 in {key.port for key in changes.rule_sets[DB.number].entries}


def test_rules_that_are_gone_can_be_forgotten():
    """Not before that: flows may still have their numbers."""
    rules = RuleNumbers()
    resolver = Resolver(rules)
    resolver.put_identity(WEB)
    resolver.put_subject(WEB.number)
    resolver.put_policies("a", [allow_from("api")])
    resolver.resolve()
    resolver.remove_policies("a")
    resolver.resolve()
    assert rules.numbers == {"front/web ingress[0]": 16}
    resolver.forget_rules()
    assert not rules.numbers


class Changing(RuleBasedStateMachine):
    """Puts and removes whatever there is; now and then asks for the result."""

    def __init__(self):
        super().__init__()
        self.resolver = Resolver()
        self.policies = {}
        self.identities = {}
        self.ports = {}
        self.subjects = set()
        self.rule_sets = {}
        self.cidrs = {}

    @rule(key=st.integers(0, 2), some=policies)
    def put_policies(self, key, some):
        self.policies[key] = some
        self.resolver.put_policies(key, some)

    @rule(key=st.integers(0, 2))
    def remove_policies(self, key):
        self.policies.pop(key, None)
        self.resolver.remove_policies(key)

    @rule(number=st.sampled_from([*PODS]), ports=st.sampled_from([(), *NAMED.values()]))
    def put_identity(self, number, ports):
        self.identities[number] = IDENTITIES[number]
        self.ports[number] = ports
        self.resolver.put_identity(IDENTITIES[number], ports)

    @rule(number=st.sampled_from([*PODS]))
    def put_subject(self, number):
        if number in self.identities:
            self.subjects.add(number)
            self.resolver.put_subject(number)

    @rule(number=st.sampled_from([*PODS]))
    def remove_subject(self, number):
        self.subjects.discard(number)
        self.resolver.remove_subject(number)

    @rule(number=st.sampled_from([*PODS]))
    def remove_identity(self, number):
        self.identities.pop(number, None)
        self.ports.pop(number, None)
        self.subjects.discard(number)
        self.resolver.remove_identity(number)

    @rule()
    def resolve(self):
        """Apply the changes as an agent does, and compare with compiling all."""
        changes = self.resolver.resolve()
        for number in changes.removed:
            del self.rule_sets[number]
        self.rule_sets.update(changes.rule_sets)
        for network in changes.cidrs_removed:
            del self.cidrs[network]
        self.cidrs.update(changes.cidrs)
        assert self.cidrs == dict(self.resolver.cidr_numbers.numbers)
        assert self.rule_sets == self.resolver.rule_sets
        assert self.rule_sets.keys() == self.subjects
        for number, rule_set in self.rule_sets.items():
            assert self.meaning(rule_set) == self.meaning(self.anew(number))

    def anew(self, number):
        """Compile a rule set from all that is known."""
        return compile_rule_set(
            self.identities[number],
            [policy for some in self.policies.values() for policy in some],
            identities=self.identities,
            cidr_identities=self.cidrs,
            named_ports=self.ports,
            rule_number=self.resolver.rule_numbers.number,
        )

    def meaning(self, rule_set):
        """Return what does not depend on the order of policies that say the same."""
        entries = {k: (e.verdict, e.flags) for k, e in rule_set.entries.items()}
        return entries, rule_set.flags, set(rule_set.ingress_policies)

    @invariant()
    def rule_sets_are_of_subjects(self):
        """Nothing is kept for an identity without endpoints."""
        assert self.resolver.rule_sets.keys() <= self.subjects


class TestChanging(Changing.TestCase):
    """Any sequence of changes."""

    settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
