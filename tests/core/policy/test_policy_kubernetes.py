# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicy: what each part of it means, and what is refused."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from tests.core.policy.manifests import network_policy, parse_one

from axoneme import PolicyError
from axoneme.model import Direction, NamedPort, pod_labels
from axoneme.model.identity import RESERVED
from axoneme.model.policy import SCTP, TCP, UDP, CidrPeer, Ports
from axoneme.policy import Party, decide

FRONT = {"team": "blue"}
WEB = Party(ip_address("10.1.0.2"), pod_labels("front", {"app": "web"}, FRONT))
API = Party(ip_address("10.1.0.3"), pod_labels("front", {"app": "api", "tier": "1"}, FRONT))
FAR_API = Party(ip_address("10.1.0.4"), pod_labels("back", {"app": "api"}, {"team": "red"}))
HOST = Party(ip_address("10.9.0.1"), RESERVED[1].labels)
STRANGER = Party(ip_address("192.168.1.1"))


def lets_in(spec, peer, proto=TCP, port=80, subject=WEB):
    """Say whether a policy lets a peer reach a port of a pod."""
    policy = parse_one(network_policy(spec))
    verdict = decide([policy], subject, peer, direction=Direction.INGRESS, proto=proto, port=port)
    return verdict.allowed


def lets_out(spec, peer, proto=TCP, port=80):
    """Say whether a policy lets a pod reach a port of a peer."""
    policy = parse_one(network_policy(spec))
    verdict = decide([policy], WEB, peer, direction=Direction.EGRESS, proto=proto, port=port)
    return verdict.allowed


def ingress(*peers, **ports):
    """Return the spec of all pods with one rule."""
    return {"podSelector": {}, "ingress": [{"from": list(peers), **ports}]}


def test_a_policy_without_rules_lets_nobody_in():
    """And restricts what comes in only."""
    assert not lets_in({"podSelector": {}}, API)
    assert lets_out({"podSelector": {}}, API)


def test_a_policy_selects_pods_of_its_namespace_by_labels():
    """Pods that it does not select, and those of other namespaces, stay open."""
    spec = {"podSelector": {"matchLabels": {"app": "web"}}}
    assert not lets_in(spec, API)
    assert lets_in(spec, WEB, subject=API)
    far_web = Party(labels=pod_labels("back", {"app": "web"}, {}))
    assert lets_in(spec, API, subject=far_web)


@pytest.mark.parametrize(
    ("types", "egress", "expected"),
    [
        (None, None, (True, False)),
        (None, [], (True, False)),
        (None, [{}], (True, True)),
        (["Ingress"], [{}], (True, False)),
        (["Egress"], None, (False, True)),
        (["Ingress", "Egress"], None, (True, True)),
        ([], None, (True, False)),
    ],
)
def test_the_directions_are_those_of_policy_types(types, egress, expected):
    """Without them: in, and out when there are rules for it."""
    policy = parse_one(network_policy({"podSelector": {}, "policyTypes": types, "egress": egress}))
    assert (policy.default_deny_ingress, policy.default_deny_egress) == expected


def test_rules_of_a_direction_that_is_not_meant_say_nothing():
    """A rule for what goes out does not open what the policy does not close."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "egress": [{}]}
    assert parse_one(network_policy(spec)).egress == ()


def test_a_rule_without_peers_means_everyone():
    """Missing, nothing and an empty list alike."""
    for rule in ({}, {"from": None}, {"from": []}):
        spec = {"podSelector": {}, "ingress": [rule]}
        assert all(lets_in(spec, peer) for peer in (API, FAR_API, HOST, STRANGER))


def test_a_pod_selector_means_pods_of_the_policys_namespace():
    """Those of another with the same labels are not meant."""
    spec = ingress({"podSelector": {"matchLabels": {"app": "api"}}})
    assert lets_in(spec, API)
    assert not lets_in(spec, FAR_API)
    assert not lets_in(spec, HOST)
    assert not lets_in(spec, STRANGER)


def test_a_namespace_selector_means_all_pods_there():
    """By labels of the namespace, or by its name; an empty one means all pods, and only pods."""
    by_label = ingress({"namespaceSelector": {"matchLabels": {"team": "red"}}})
    by_name = ingress(
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "back"}}}
    )
    for spec in (by_label, by_name):
        assert lets_in(spec, FAR_API)
        assert not lets_in(spec, API)
    everywhere = ingress({"namespaceSelector": {}})
    assert lets_in(everywhere, FAR_API)
    assert lets_in(everywhere, API)
    assert not lets_in(everywhere, HOST)
    assert not lets_in(everywhere, STRANGER)


def test_both_selectors_of_a_peer_must_match():
    """While two peers mean either."""
    red = {"matchLabels": {"team": "red"}}
    web = {"matchLabels": {"app": "web"}}
    assert not lets_in(ingress({"namespaceSelector": red, "podSelector": web}), FAR_API)
    assert lets_in(ingress({"namespaceSelector": red}, {"podSelector": web}), FAR_API)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"key": "app", "operator": "In", "values": ["api", "db"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["api"]}, False),
        ({"key": "tier", "operator": "Exists"}, True),
        ({"key": "tier", "operator": "DoesNotExist"}, False),
        ({"key": "tier", "operator": "DoesNotExist", "values": []}, False),
    ],
)
def test_match_expressions_select(expression, expected):
    """All four operators."""
    assert lets_in(ingress({"podSelector": {"matchExpressions": [expression]}}), API) is expected


def test_an_ip_block_means_a_network_less_its_exceptions():
    """Also the addresses of pods in it."""
    spec = ingress({"ipBlock": {"cidr": "192.168.0.0/16", "except": ["192.168.1.0/24"]}})
    assert not lets_in(spec, STRANGER)
    assert lets_in(spec, Party(ip_address("192.168.2.1")))
    assert lets_in(ingress({"ipBlock": {"cidr": "10.0.0.0/8"}}), API)
    policy = parse_one(network_policy(spec))
    assert policy.ingress[0].peers == (
        CidrPeer(ip_network("192.168.0.0/16"), (ip_network("192.168.1.0/24"),), any_peer=True),
    )


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"port": 80}, (Ports(TCP, 80, 80),)),
        ({"port": 53, "protocol": "UDP"}, (Ports(UDP, 53, 53),)),
        ({"protocol": "SCTP"}, (Ports(SCTP),)),
        ({}, (Ports(TCP),)),
        ({"port": 8000, "endPort": 9000}, (Ports(TCP, 8000, 9000),)),
        ({"port": "http"}, (Ports(TCP, name="http"),)),
        ({"port": "dns-tcp", "protocol": "UDP"}, (Ports(UDP, name="dns-tcp"),)),
    ],
)
def test_ports_are_numbers_ranges_names_or_all(port, expected):
    """Of a protocol that is TCP unless said."""
    policy = parse_one(network_policy({"podSelector": {}, "ingress": [{"ports": [port]}]}))
    assert policy.ingress[0].ports == expected


def test_no_ports_mean_every_protocol():
    """An empty list, too."""
    spec = ingress({"podSelector": {}}, ports=[])
    assert lets_in(spec, API, proto=1, port=0)
    assert not lets_in(ingress({"podSelector": {}}, ports=[{}]), API, proto=1, port=0)


def test_a_named_port_is_the_pods_that_is_reached():
    """In: what the pod itself calls so; out: what the peer calls so."""
    named = frozenset({NamedPort("http", TCP, 8080)})
    ports = [{"port": "http"}]
    web = Party(WEB.address, WEB.labels, named)
    assert lets_in(ingress(ports=ports), API, port=8080, subject=web)
    assert not lets_in(ingress(ports=ports), API, port=80, subject=web)
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": ports}]}
    assert lets_out(spec, Party(API.address, API.labels, named), port=8080)
    assert not lets_out(spec, API, port=8080)


def test_rules_have_the_names_that_verdicts_show():
    """Namespace, name, and which rule."""
    policy = parse_one(network_policy(ingress({"podSelector": {}})))
    verdict = decide([policy], WEB, API, direction=Direction.INGRESS, proto=TCP, port=1)
    assert verdict.rules == ("front/web ingress[0]",)
    closed = decide([policy], WEB, HOST, direction=Direction.INGRESS, proto=TCP, port=1)
    assert (closed.rules, closed.policies) == ((), ("front/web",))


def test_a_policy_without_namespace_is_in_default():
    """As a cluster has it."""
    document = network_policy({"podSelector": {}}, namespace=None)
    assert parse_one(document).namespace == "default"


def test_what_a_server_adds_is_no_typo():
    """A manifest that was read back from a cluster is taken."""
    document = network_policy({"podSelector": {}})
    document["metadata"] |= {"uid": "x", "creationTimestamp": "now", "managedFields": [{"a": 1}]}
    document["status"] = {}
    assert parse_one(document).name == "web"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (
            {"podSelecter": {}},
            "web.yaml:1: spec.podSelecter: unknown field; did you mean 'podSelector'?",
        ),
        (ingress({"podSelector": {"matchLabel": {}}}), "did you mean 'matchLabels'?"),
        (ingress({}), "spec.ingress[0].from[0]: needs podSelector, namespaceSelector or ipBlock"),
        (
            ingress({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}),
            "spec.ingress[0].from[0]: ipBlock cannot stand beside a selector",
        ),
        (ingress({"ipBlock": {}}), "spec.ingress[0].from[0].ipBlock.cidr: is missing"),
        (ingress({"ipBlock": {"cidr": "10.0.0.0"}}), "'10.0.0.0' is no network: write 10.0.0.0/8"),
        (ingress({"ipBlock": {"cidr": "10.0.0.0/33"}}), "is no network"),
        (ingress({"ipBlock": {"cidr": "fe80::1%eth0/64"}}), "is no network"),
        (ingress({"ipBlock": {"cidr": "10.0.0.0/255.0.0.0"}}), "is no network"),
        (ingress({"ipBlock": {"cidr": "::ffff:10.0.0.0/104"}}), "is IPv4 in disguise"),
        (
            ingress({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["192.168.0.0/16"]}}),
            "spec.ingress[0].from[0].ipBlock.except[0]: 192.168.0.0/16 is no part of 10.0.0.0/8",
        ),
        (ingress(ports=[{"port": 0}]), "spec.ingress[0].ports[0].port: 0 is no port"),
        (ingress(ports=[{"port": 70000}]), "70000 is no port: they are 1 to 65535"),
        (ingress(ports=[{"port": "80"}]), "'80' is no name of a port"),
        (ingress(ports=[{"port": 8.5}]), "port: expected a number or a string, got a number with"),
        (ingress(ports=[{"port": True}]), "expected a number or a string, got a boolean"),
        (ingress(ports=[{"port": 90, "endPort": 80}]), "80 must be 90 to 65535"),
        (ingress(ports=[{"port": "http", "endPort": 80}]), "a range begins with a number"),
        (ingress(ports=[{"endPort": 80}]), "needs port, with which the range begins"),
        (
            ingress(ports=[{"port": 1, "protocol": "tcp"}]),
            "protocol: 'tcp' is none of SCTP, TCP, UDP",
        ),
        ({"podSelector": {"matchLabels": {"app": 1}}}, "matchLabels.app: expected a string, got a"),
        ({"podSelector": {"matchLabels": {1: "x"}}}, "has the key 1, which is a number: put it in"),
        ({"podSelector": {"matchLabels": {"app": "a b"}}}, "'a b' is no value of a label"),
        ({"podSelector": {"matchLabels": {"k8s:app": "a"}}}, "'k8s:app' is no key of a label"),
        (
            {"podSelector": {"matchLabels": {"pod-template-hash": "a"}}},
            "identities leave this label out",
        ),
        (
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "spec.podSelector.matchExpressions[0].values: In needs at least one value",
        ),
        (
            {
                "podSelector": {
                    "matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]
                }
            },
            "Exists takes no values",
        ),
        (
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "in"}]}},
            "operator: 'in' is none of",
        ),
        ({"podSelector": {}, "policyTypes": ["ingress"]}, "did you mean 'Ingress'?"),
        ({"podSelector": {}, "ingress": {}}, "spec.ingress: expected a list, got a mapping"),
        ({"podSelector": {}, "ingress": [None]}, "expected a mapping, got nothing"),
        ([], "spec: expected a mapping, got a list"),
    ],
)
def test_what_is_wrong_is_named(spec, problem):
    """By file, line, field and, where one is near, the right word."""
    with pytest.raises(PolicyError) as caught:
        parse_one(network_policy(spec))
    assert problem in str(caught.value)
    assert str(caught.value).startswith("web.yaml:1: spec")


def test_everything_that_is_wrong_is_named_at_once():
    """Both unknown fields and wrong types; and several values that mean nothing."""
    with pytest.raises(PolicyError) as caught:
        parse_one(network_policy({"podSelecter": {}, "ingress": [{"form": []}, 3], "egres": []}))
    assert len(caught.value.problems) == 4
    rule = {"ports": [{"port": 0}], "from": [{"ipBlock": {"cidr": "x"}}, {}]}
    with pytest.raises(PolicyError) as caught:
        parse_one(network_policy({"podSelector": {}, "ingress": [rule]}))
    assert [problem.key for problem in caught.value.problems] == [
        "spec.ingress[0].from[0].ipBlock.cidr",
        "spec.ingress[0].from[1]",
        "spec.ingress[0].ports[0].port",
    ]
    assert {(problem.file, problem.line) for problem in caught.value.problems} == {("web.yaml", 1)}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (None, "web.yaml:1: expected a mapping, got nothing"),
        ([], "expected a mapping, got a list"),
        ({}, "kind: nothing is no kind of policy that is supported"),
        ({"kind": "NetworkPolicies"}, "did you mean 'NetworkPolicy'?"),
        ({"kind": ["NetworkPolicy"]}, "kind: a list is no kind of policy"),
        (
            {"kind": "NetworkPolicy", "apiVersion": "extensions/v1beta1"},
            "NetworkPolicy is read as networking.k8s.io/v1, not as 'extensions/v1beta1'",
        ),
        ({"kind": "NetworkPolicy"}, "not as nothing"),
        (network_policy({}, name="Web"), "metadata.name: 'Web' is no name"),
        (network_policy({}, name=3), "metadata.name: expected a string, got a number"),
        (network_policy({}, namespace="a.b"), "metadata.namespace: 'a.b' is no namespace"),
        (network_policy({}) | {"sepc": {}}, "sepc: unknown field; did you mean 'spec'?"),
    ],
)
def test_a_document_that_is_no_policy_is_named(document, problem):
    """Its kind, its version, its name."""
    with pytest.raises(PolicyError) as caught:
        parse_one(document)
    assert problem in str(caught.value)
