# SPDX-License-Identifier: Apache-2.0
"""Whatever a manifest says, it is a policy or a PolicyError."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.policy.manifests import cilium_policy, network_policy

from axoneme import PolicyError
from axoneme.policy import parse_policy

_FIELDS = [
    "podSelector", "endpointSelector", "namespaceSelector", "matchLabels", "matchExpressions",
    "key", "operator", "values", "ingress", "egress", "ingressDeny", "egressDeny", "from", "to",
    "ports", "port", "endPort", "protocol", "ipBlock", "cidr", "except", "policyTypes", "toPorts",
    "fromEndpoints", "toEndpoints", "fromEntities", "toEntities", "fromCIDR", "toCIDR", "specs",
    "fromCIDRSet", "toCIDRSet", "enableDefaultDeny", "icmps", "rules", "spec", "metadata",
]  # fmt: skip
_WORDS = [
    "In", "NotIn", "Exists", "TCP", "ANY", "Ingress", "Egress", "all", "world", "10.0.0.0/8",
    "10.1.0.0/16", "::/0", "::ffff:0:0/96", "fe80::1%x/10", "http", "0", "80", "k8s:app",
    "reserved:host", "any:io.kubernetes.pod.namespace", "a:b:c", "", "²", "\ud800",
]  # fmt: skip
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 70000),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(_WORDS),
    st.binary(max_size=3),
    st.just(date(2020, 1, 1)),
)
_keys = st.one_of(st.sampled_from(_FIELDS), st.sampled_from(_WORDS), st.text(max_size=3))
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_keys, inner, max_size=4)
        | st.dictionaries(st.one_of(st.integers(), st.none(), st.booleans()), inner, max_size=1)
    ),
    max_leaves=20,
)
_specs = st.dictionaries(st.sampled_from(_FIELDS), _values, max_size=4)


def _parse(document):
    caught = None
    try:
        assert parse_policy(document, "web.yaml:1")
    except PolicyError as error:
        caught = error
    if caught is not None:
        assert caught.problems
        assert all(problem.file == "web.yaml" for problem in caught.problems)
        assert str(caught)


@settings(max_examples=150, deadline=None)
@given(_values)
def test_any_document(document):
    """Of whatever type."""
    _parse(document)


@settings(max_examples=150, deadline=None)
@given(_specs, st.sampled_from([network_policy, cilium_policy]))
def test_any_spec(spec, kind):
    """With the right fields in wrong places, and wrong values in the right ones."""
    _parse(kind(spec))


@settings(max_examples=150, deadline=None)
@given(st.lists(_specs, max_size=2), st.sampled_from([network_policy, cilium_policy]))
def test_any_rules(rules, kind):
    """Below a direction."""
    _parse(kind({"ingress": rules, "egress": rules}))


def test_a_document_that_holds_itself():
    """YAML can say that with an anchor."""
    rules = []
    rules.append({"from": rules})
    _parse(network_policy({"podSelector": {}, "ingress": rules}))
