# SPDX-License-Identifier: Apache-2.0
"""Labels, the identities they make, and the selectors that they match."""

from __future__ import annotations

import pickle
from ipaddress import ip_network

import pytest

from axoneme import model
from axoneme.model import RESERVED, Labels, Reserved, pod_labels
from axoneme.model.identity import cidr_identity, identity_name
from axoneme.model.labels import own_labels
from axoneme.model.selector import Operator, Requirement, Selector


def test_labels_are_equal_whatever_their_order():
    """Equal ones hash alike and read alike, so that they can stand for an identity."""
    one = Labels.of({"k8s:b": "2", "k8s:a": "1"})
    other = Labels.of({"k8s:a": "1", "k8s:b": "2"})
    assert one == other
    assert hash(one) == hash(other)
    assert str(one) == "k8s:a=1,k8s:b=2"
    assert Labels.parse(str(one)) == one
    assert pickle.loads(pickle.dumps(one)) == one


def test_labels_that_differ_are_different():
    """In a value, or in where they are from."""
    assert Labels.of({"k8s:a": "1"}) != Labels.of({"k8s:a": "2"})
    assert Labels.of({"k8s:a": ""}) != Labels.of({"reserved:a": ""})
    assert Labels.of({}) != {}


@pytest.mark.parametrize("key", ["app", ":app", "k8s:", "any:app"])
def test_a_label_needs_a_source(key):
    """A label of unknown origin could be mistaken for a reserved one."""
    with pytest.raises(ValueError, match="must begin with where it is from"):
        Labels.of({key: "web"})


def test_a_pod_has_the_labels_of_its_namespace_and_account():
    """Labels that differ for every pod are left out: each would be an identity of its own."""
    labels = pod_labels(
        "front", {"app": "web", "pod-template-hash": "5d8"}, {"team": "blue"}, "robot", "west"
    )
    assert dict(labels) == {
        "k8s:app": "web",
        "k8s:io.cilium.k8s.namespace.labels.team": "blue",
        "k8s:io.cilium.k8s.policy.cluster": "west",
        "k8s:io.cilium.k8s.policy.serviceaccount": "robot",
        "k8s:io.kubernetes.pod.namespace": "front",
    }


def test_a_pod_cannot_pretend_another_namespace():
    """A label of the pod does not hide the one that says where it is."""
    labels = pod_labels("front", {"io.kubernetes.pod.namespace": "back"}, {})
    assert labels["k8s:io.kubernetes.pod.namespace"] == "front"


def test_a_pod_cannot_pass_for_one_of_a_namespace_with_other_labels():
    """Who may write a pod's labels may not write its namespace's: such keys do not count."""
    keys = ["io.cilium.k8s.namespace.labels.team", "io.cilium.k8s.policy.cluster"]
    labels = pod_labels("front", {**dict.fromkeys(keys, "forged"), "app": "web"}, {})
    assert "forged" not in labels.values()
    assert labels["k8s:app"] == "web"
    assert own_labels(labels) == {"app": "web"}


def test_reserved_identities_have_their_labels():
    """By the names that policies use; both families are of the world."""
    assert dict(RESERVED[1].labels) == {"reserved:host": ""}
    assert "reserved:remote-node" in RESERVED[Reserved.REMOTE_NODE].labels
    assert {"reserved:world", "reserved:world-ipv4"} == set(RESERVED[9].labels)
    assert {identity.number for identity in RESERVED.values()} == set(range(1, 11))


def test_a_network_is_of_the_world():
    """Its identity says which network and which family."""
    identity = cidr_identity(1 << 24, ip_network("fd00::/8"))
    assert set(identity.labels) == {"cidr:fd00::/8", "reserved:world", "reserved:world-ipv6"}


@pytest.mark.parametrize(
    ("number", "labels", "expected"),
    [
        (1, None, "host"),
        (9, RESERVED[9].labels, "world-ipv4"),
        (1 << 24, cidr_identity(1 << 24, ip_network("fd00::/8")).labels, "fd00::/8"),
        (
            256,
            pod_labels("shop", {"app": "web", "tier": "front"}, {"team": "a"}),
            "app=web,tier=front in shop",
        ),
        (257, pod_labels("shop", {}, {}), "no labels in shop"),
        (258, None, ""),
    ],
)
def test_an_identity_has_one_name_for_people(number, labels, expected):
    """A word, a network, or what tells its pods from others."""
    assert identity_name(number, labels) == expected


WEB = Labels.of({"k8s:app": "web", "k8s:tier": "front"})


@pytest.mark.parametrize(
    ("key", "operator", "values", "expected"),
    [
        ("k8s:app", "In", ["web", "api"], True),
        ("k8s:app", "In", ["api"], False),
        ("k8s:none", "In", ["api"], False),
        ("k8s:app", "NotIn", ["web"], False),
        ("k8s:app", "NotIn", ["api"], True),
        ("k8s:none", "NotIn", ["api"], True),
        ("k8s:app", "Exists", [], True),
        ("k8s:none", "Exists", [], False),
        ("k8s:app", "DoesNotExist", [], False),
        ("k8s:none", "DoesNotExist", [], True),
        ("any:app", "In", ["web"], True),
        ("any:app", "DoesNotExist", [], False),
        ("reserved:app", "Exists", [], False),
    ],
)
def test_a_requirement_matches_as_kubernetes_says(key, operator, values, expected):
    """A label that is missing is in no set."""
    requirement = Requirement(key, Operator(operator), values)
    assert requirement.matches(WEB) is expected
    assert Selector([requirement]).matches(WEB) is expected


def test_all_requirements_of_a_selector_count():
    """And an empty selector matches everything."""
    assert Selector.of({"k8s:app": "web", "k8s:tier": "front"}).matches(WEB)
    assert not Selector.of({"k8s:app": "web", "k8s:tier": "back"}).matches(WEB)
    assert Selector().matches(WEB)
    assert str(Selector()) == "everything"


def test_selectors_are_equal_whatever_the_order():
    """So that who matches is found once for all policies that ask it."""
    one = Selector.of({"k8s:a": "1", "k8s:b": "2"})
    other = Selector.of({"k8s:b": "2"}) & Selector.of({"k8s:a": "1"})
    assert one == other
    assert hash(one) == hash(other)
    assert str(one) == "k8s:a=1,k8s:b=2"


def test_the_values_are_public():
    """Each name that the package exports is there."""
    assert all(hasattr(model, name) for name in model.__all__)
