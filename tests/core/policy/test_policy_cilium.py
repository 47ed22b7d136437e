# SPDX-License-Identifier: Apache-2.0
"""CiliumNetworkPolicy: what each part of it means, and what is refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.core.policy.manifests import cilium_policy, parse_one

from axoneme import PolicyError
from axoneme.model import Direction, NamedPort, pod_labels
from axoneme.model.identity import RESERVED, Reserved
from axoneme.model.policy import SCTP, TCP, UDP, Ports
from axoneme.policy import Party, decide, parse_policy

WEB = Party(ip_address("10.1.0.2"), pod_labels("front", {"app": "web"}, {"team": "blue"}))
API = Party(ip_address("10.1.0.3"), pod_labels("front", {"app": "api"}, {"team": "blue"}))
FAR_API = Party(ip_address("10.1.0.4"), pod_labels("back", {"app": "api"}, {"team": "red"}))
HOST = Party(ip_address("10.9.0.1"), RESERVED[Reserved.HOST].labels)
NODE = Party(ip_address("10.9.0.2"), RESERVED[Reserved.REMOTE_NODE].labels)
UNMANAGED = Party(ip_address("10.9.0.3"), RESERVED[Reserved.UNMANAGED].labels)
STRANGER = Party(ip_address("192.168.1.1"))
STRANGER6 = Party(ip_address("2001:db8::1"))
EVERYONE = (WEB, API, FAR_API, HOST, NODE, UNMANAGED, STRANGER, STRANGER6)


def decided(spec, peer, direction=Direction.INGRESS, proto=TCP, port=80):
    """Return what a policy does with a flow of a pod."""
    policies = parse_policy(cilium_policy(spec), "web.yaml:1")
    return decide(policies, WEB, peer, direction=direction, proto=proto, port=port)


def who(rule, section="ingress", direction=Direction.INGRESS):
    """Return everyone whom a policy with one rule allows."""
    return [peer for peer in EVERYONE if decided({section: [rule]}, peer, direction).allowed]


@pytest.mark.parametrize("direction", Direction)
def test_endpoints_are_of_the_policys_namespace(direction):
    """Unless the selector names a namespace; an empty one means all pods of the own."""
    section = direction.name.lower()
    peers = ("from" if section == "ingress" else "to") + "Endpoints"

    def those(labels):
        return who({peers: [{"matchLabels": labels}]}, section, direction)

    assert those({"app": "api"}) == [API]
    assert those({"k8s:app": "api"}) == those({"any:app": "api"}) == [API]
    assert those({}) == [WEB, API]
    assert those({"app": "api", "k8s:io.kubernetes.pod.namespace": "back"}) == [FAR_API]
    assert those({"io.kubernetes.pod.namespace": "back"}) == [FAR_API]
    assert those({"any:io.kubernetes.pod.namespace": "back"}) == [FAR_API]
    assert those({"k8s:io.cilium.k8s.namespace.labels.team": "red"}) == [FAR_API]
    name = "io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name"
    assert those({name: "back"}) == [FAR_API]


def test_endpoints_of_all_namespaces_are_pods():
    """Neither nodes nor strangers."""
    every = {"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}
    assert who({"fromEndpoints": [{"matchExpressions": [every]}]}) == [WEB, API, FAR_API]
    others = {"key": "k8s:io.kubernetes.pod.namespace", "operator": "NotIn", "values": ["front"]}
    assert who({"fromEndpoints": [{"matchExpressions": [others]}]}) == [FAR_API]


def test_reserved_labels_mean_no_pods():
    """They are not looked for in the policy's namespace."""
    assert who({"fromEndpoints": [{"matchLabels": {"reserved:host": ""}}]}) == [HOST]
    assert who({"fromEndpoints": [{"matchLabels": {"reserved:world": ""}}]}) == [
        STRANGER,
        STRANGER6,
    ]


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        ("all", list(EVERYONE)),
        ("world", [STRANGER, STRANGER6]),
        ("world-ipv4", [STRANGER]),
        ("world-ipv6", [STRANGER6]),
        ("cluster", [WEB, API, FAR_API, HOST, NODE]),
        ("host", [HOST]),
        ("remote-node", [NODE]),
        ("unmanaged", [UNMANAGED]),
        ("kube-apiserver", []),
        ("none", []),
    ],
)
def test_entities(entity, expected):
    """Peers that have no labels of their own."""
    assert who({"fromEntities": [entity]}) == expected
    assert who({"toEntities": [entity]}, "egress", Direction.EGRESS) == expected


def test_cidrs_mean_peers_outside_the_cluster():
    """A pod or a node whose address is in the network is not meant."""
    assert who({"fromCIDR": ["0.0.0.0/0"]}) == [STRANGER]
    assert who({"toCIDR": ["::/0"]}, "egress", Direction.EGRESS) == [STRANGER6]
    less = {"cidr": "192.168.0.0/16", "except": ["192.168.1.0/24"]}
    assert who({"fromCIDRSet": [less]}) == []
    assert who({"fromCIDRSet": [{"cidr": "192.168.0.0/16"}]}) == [STRANGER]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, []),
        ({"toPorts": []}, []),
        ({"fromEndpoints": []}, []),
        ({"fromEndpoints": [], "toPorts": [{"ports": [{"port": "80"}]}]}, []),
        ({"toPorts": [{"ports": [{"port": "80"}]}]}, list(EVERYONE)),
        ({"toPorts": [{"ports": [{"port": "81"}]}]}, []),
    ],
)
def test_a_rule_without_peers(rule, expected):
    """It allows nothing when it says nothing, anyone when it names ports."""
    assert who(rule) == expected


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"port": "80", "protocol": "TCP"}, (Ports(TCP, 80, 80),)),
        ({"port": "53"}, tuple(Ports(p, 53, 53) for p in (TCP, UDP, SCTP))),
        ({"port": "53", "protocol": "ANY"}, tuple(Ports(p, 53, 53) for p in (TCP, UDP, SCTP))),
        ({"port": "1", "endPort": 9, "protocol": "UDP"}, (Ports(UDP, 1, 9),)),
        ({"port": "0", "protocol": "TCP"}, (Ports(TCP),)),
        ({"port": "0"}, (Ports(),)),
        ({"port": "http", "protocol": "TCP"}, (Ports(TCP, name="http"),)),
    ],
)
def test_ports_are_strings(port, expected):
    """Numbers, ranges, names; 0 is all of a protocol, and of any protocol everything."""
    policy = parse_one(cilium_policy({"ingress": [{"toPorts": [{"ports": [port]}]}]}))
    assert policy.ingress[0].ports == expected


def test_a_name_of_a_port_counts_for_each_protocol():
    """When none is named."""
    spec = {"egress": [{"toPorts": [{"ports": [{"port": "dns"}]}]}]}
    peer = Party(API.address, API.labels, frozenset({NamedPort("dns", UDP, 53)}))
    assert decided(spec, peer, Direction.EGRESS, UDP, 53).allowed
    assert not decided(spec, peer, Direction.EGRESS, TCP, 53).allowed


def test_a_denial_wins():
    """Over whatever allows, and is named."""
    spec = {
        "ingress": [{"fromEntities": ["all"]}],
        "ingressDeny": [{"fromEndpoints": [{"matchLabels": {"app": "api"}}]}],
    }
    assert decided(spec, WEB).rules == ("cnp front/web ingress[0]",)
    verdict = decided(spec, API)
    assert (verdict.allowed, verdict.rules) == (False, ("cnp front/web ingressDeny[0]",))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ingress": [{}]}, (True, False)),
        ({"egressDeny": [{"toEntities": ["world"]}]}, (False, True)),
        ({"ingress": [{}], "egress": [{}]}, (True, True)),
        ({"ingress": [{}], "enableDefaultDeny": {"ingress": False}}, (False, False)),
        ({"ingress": [{}], "enableDefaultDeny": {"egress": True}}, (True, True)),
        ({"enableDefaultDeny": {"ingress": True, "egress": False}}, (True, False)),
    ],
)
def test_a_direction_with_rules_is_closed_unless_said(spec, expected):
    """What no rule allows is denied there."""
    policy = parse_one(cilium_policy(spec))
    assert (policy.default_deny_ingress, policy.default_deny_egress) == expected


def test_a_document_may_have_several_specs():
    """Each selects its own pods, and its rules say which spec they are of."""
    document = cilium_policy({"ingress": [{}]})
    spec = {
        "endpointSelector": {"matchLabels": {"app": "web"}},
        "ingress": [{"fromEntities": ["host"]}],
        "description": "kubelet",
    }
    document["specs"] = [spec, {**spec, "endpointSelector": {"matchLabels": {"app": "api"}}}]
    policies = parse_policy(document, "web.yaml")
    verdict = decide(policies, WEB, HOST, direction=Direction.INGRESS, proto=TCP, port=1)
    assert verdict.rules == ("cnp front/web specs[0].ingress[0]",)
    del document["spec"]
    assert len(parse_policy(document, "web.yaml")) == 2


def test_a_subject_may_name_its_own_namespace():
    """As some write it."""
    selector = {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "front", "app": "web"}}
    policy = parse_one(cilium_policy({"endpointSelector": selector, "ingress": [{}]}))
    assert policy.subject.matches(WEB.labels)
    assert not policy.subject.matches(API.labels)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"toFQDNs": [{"matchName": "a.b"}]}, "toFQDNs"),
        ({"toServices": []}, "toServices"),
        ({"toNodes": [{}]}, "toNodes"),
        ({"icmps": []}, "icmps"),
        ({"authentication": {"mode": "required"}}, "authentication"),
        ({"toCIDRSet": [{"cidrGroupRef": "x", "cidr": "::/0"}]}, "toCIDRSet[0].cidrGroupRef"),
        (
            {"toPorts": [{"ports": [{"port": "80"}], "rules": {"http": [{}]}}]},
            "toPorts[0].rules",
        ),
    ],
)
def test_what_comes_later_is_refused(rule, field):
    """A policy of which a part were left out would allow what it should not."""
    with pytest.raises(PolicyError) as caught:
        parse_one(cilium_policy({"egress": [rule]}))
    assert str(caught.value) == f"web.yaml:1: spec.egress[0].{field}: is not supported yet"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({}, "spec: needs at least one rule in ingress, ingressDeny, egress or egressDeny"),
        ({"ingress": []}, "spec: needs at least one rule"),
        ({"endpointSelector": None, "ingress": [{}]}, "spec.endpointSelector: expected a mapping"),
        ({"nodeSelector": {}}, "spec.nodeSelector: is not supported yet"),
        (
            {"ingress": [{"fromEndpoint": []}]},
            "spec.ingress[0].fromEndpoint: unknown field; did you mean 'fromEndpoints'?",
        ),
        ({"ingress": [{"toEndpoints": []}]}, "spec.ingress[0].toEndpoints: unknown field"),
        (
            {"ingress": [{"fromEntities": ["all"], "fromCIDR": ["::/0"]}]},
            "spec.ingress[0]: fromEntities and fromCIDR cannot stand in one rule",
        ),
        (
            {"ingress": [{"fromEntities": ["wrld"]}]},
            "spec.ingress[0].fromEntities[0]: 'wrld' is no entity; did you mean 'world'?",
        ),
        ({"egress": [{"toEntities": ["cluster-mesh"]}]}, "cluster-mesh is not supported yet"),
        ({"egress": [{"toCIDR": ["10.0.0.0"]}]}, "spec.egress[0].toCIDR[0]: '10.0.0.0' is no net"),
        (
            {"ingress": [{"toPorts": [{"ports": [{"port": 80}]}]}]},
            "spec.ingress[0].toPorts[0].ports[0].port: expected a string, got a number",
        ),
        ({"ingress": [{"toPorts": [{"ports": [{"port": "70000"}]}]}]}, "70000 is no port"),
        ({"ingress": [{"toPorts": [{"ports": [{"port": "9" * 5000}]}]}]}, "is no port"),
        ({"ingress": [{"toPorts": [{"ports": [{"port": "-1"}]}]}]}, "'-1' is no name of a port"),
        ({"ingress": [{"toPorts": [{}]}]}, "toPorts[0].ports: needs at least one port; 0 means"),
        (
            {"ingress": [{"toPorts": [{"ports": [{"port": "0", "endPort": 9}]}]}]},
            "port 0 means all, and has no range",
        ),
        (
            {"ingress": [{"toPorts": [{"ports": [{"port": "1", "protocol": "TCPP"}]}]}]},
            "protocol: 'TCPP' is no protocol; did you mean 'TCP'?",
        ),
        (
            {"ingress": [{"toPorts": [{"ports": [{"port": "1", "protocol": "ICMP"}]}]}]},
            "protocol: ICMP is not supported yet",
        ),
        (
            {"endpointSelector": {"matchLabels": {"reserved:host": ""}}, "ingress": [{}]},
            "spec.endpointSelector: reserved:host= is no pod: only pods are selected",
        ),
        (
            {
                "endpointSelector": {"matchLabels": {"io.kubernetes.pod.namespace": "back"}},
                "ingress": [{}],
            },
            "spec.endpointSelector: selects nothing outside the policy's namespace front",
        ),
        (
            {"ingress": [{"fromEndpoints": [{"matchLabels": {"k8x:app": "a"}}]}]},
            "'k8x' is none of k8s, any, reserved; did you mean 'k8s'?",
        ),
    ],
)
def test_what_is_wrong_is_named(spec, problem):
    """By field and, where one is near, the right word."""
    with pytest.raises(PolicyError) as caught:
        parse_one(cilium_policy(spec))
    assert problem in str(caught.value)


def test_a_document_needs_a_spec():
    """One or several."""
    document = cilium_policy({})
    del document["spec"]
    with pytest.raises(PolicyError, match=r"web.yaml:1: needs spec or specs"):
        parse_one(document)


def test_the_clusterwide_kind_is_named():
    """It is not taken for the other."""
    document = cilium_policy({"ingress": [{}]}) | {"kind": "CiliumClusterwideNetworkPolicy"}
    with pytest.raises(PolicyError, match="'CiliumClusterwideNetworkPolicy' is no kind of policy"):
        parse_one(document)
