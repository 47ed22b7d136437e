# SPDX-License-Identifier: Apache-2.0
"""Short ways to write policies in tests."""

from __future__ import annotations

from axoneme.policy import parse_policy


def network_policy(spec, name="web", namespace="front"):
    """Return a NetworkPolicy's document."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def cilium_policy(spec, name="web", namespace="front"):
    """Return a CiliumNetworkPolicy's document."""
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"endpointSelector": {}, **spec},
    }


def parse_one(document):
    """Return the only policy of a document."""
    (policy,) = parse_policy(document, "web.yaml:1")
    return policy
