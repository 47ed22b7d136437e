# SPDX-License-Identifier: Apache-2.0
"""What the agent knows, as rows of plain values: endpoints, identities, policies, nodes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from axoneme.model.identity import RESERVED, Reserved, cidr_identity, identity_name
from axoneme.model.policy import HIGHEST_PORT, CidrPeer, Direction, EntityPeer, protocol_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from axoneme.agent.cluster import Cluster
    from axoneme.model import Endpoint
    from axoneme.model.node import NodeRecord
    from axoneme.model.policy import Peer, Policy, Ports, Rule
    from axoneme.sources import EndpointRecord

Row = dict[str, Any]


def listings(cluster: Cluster) -> Mapping[str, Callable[[], list[Row]]]:
    """The agent's methods that list something."""
    return {
        "endpoints": lambda: list(list_endpoints(cluster)),
        "identities": lambda: list(list_identities(cluster)),
        "policies": lambda: list(list_policies(cluster)),
        "nodes": lambda: list(list_nodes(cluster)),
    }


def list_endpoints(cluster: Cluster) -> Iterator[Row]:
    """The endpoints of this node: those in effect, and those that could not be attached."""
    attached = cluster.engine.datapath.endpoints
    for record in sorted(cluster.own_endpoints(), key=lambda r: (r.namespace, r.name)):
        yield _endpoint(cluster, record, attached.get(record.id))


def _endpoint(cluster: Cluster, record: EndpointRecord, attached: Endpoint | None) -> Row:
    rule_set = cluster.policies.resolver.rule_sets.get(record.identity or Reserved.INIT)
    return {
        "id": record.id,
        "name": str(record),
        "namespace": record.namespace,
        "pod": record.name,
        "state": "ready" if attached is not None else "not-attached",
        "identity": record.identity,
        "labels": dict(record.labels),
        "addresses": [str(address) for address in record.addresses],
        "named-ports": [
            {"name": p.name, "protocol": protocol_name(p.proto).lower(), "port": p.port}
            for p in record.named_ports
        ],
        "device": record.ifname,
        "ifindex": attached.ifindex if attached is not None else 0,
        "mac": record.mac.hex(":"),
        "rule-set": attached.rule_set if attached is not None else 0,
        "policies": {
            direction.name.lower(): {
                "default-deny": rule_set.default_deny(direction) if rule_set else False,
                "selected-by": list(rule_set.selected_by(direction)) if rule_set else [],
            }
            for direction in Direction
        },
        "limits": list(rule_set.limits) if rule_set else [],
    }


def list_identities(cluster: Cluster) -> Iterator[Row]:
    """The reserved identities, those of labels, and those that this node gave to networks."""
    users = Counter(record.identity for record in cluster.endpoints.values())
    own = Counter(record.identity for record in cluster.own_endpoints())
    found = {**RESERVED, **cluster.source.identities.read().identities}
    cidrs = cluster.policies.resolver.cidr_numbers.numbers
    found |= {number: cidr_identity(number, network) for network, number in cidrs.items()}
    for number, identity in sorted(found.items()):
        yield {
            "identity": number,
            "name": identity_name(number) if number in RESERVED else "",
            "type": _type(number, cidrs.values()),
            "labels": dict(identity.labels),
            "endpoints": users[number],
            "endpoints-here": own[number],
        }


def _type(number: int, cidrs: Any) -> str:
    if number in RESERVED:
        return "reserved"
    return "cidr" if number in cidrs else "labels"


def list_policies(cluster: Cluster) -> Iterator[Row]:
    """The policies in effect: whom each selects here, its rules, and their entries in the maps."""
    resolver = cluster.policies.resolver
    entries: Counter[str] = Counter()
    for rule_set in resolver.rule_sets.values():
        for entry in rule_set.entries.values():
            entries[resolver.rule_numbers.name(entry.rule) or ""] += 1
    for policy in sorted(cluster.manifests.policies, key=lambda p: p.title):
        yield {
            "name": policy.title,
            "kind": policy.kind,
            "namespace": policy.namespace,
            "subject": str(policy.subject),
            "endpoints": [
                str(r) for r in cluster.own_endpoints() if policy.subject.matches(r.labels)
            ],
            "default-deny": [d.name.lower() for d in Direction if policy.default_deny(d)],
            "rules": [row for d in Direction for row in _rules(policy, d, entries)],
        }


def _rules(policy: Policy, direction: Direction, entries: Mapping[str, int]) -> Iterator[Row]:
    for rule in policy.rules(direction):
        yield {
            "rule": rule.where,
            "direction": direction.name.lower(),
            "verdict": "deny" if rule.deny else "allow",
            "peers": _peers(rule),
            "ports": [_port(p) for p in rule.ports] if rule.ports is not None else ["any"],
            "entries": entries.get(str(policy.name_of(rule)), 0),
        }


def _peers(rule: Rule) -> list[str]:
    return ["anyone"] if rule.peers is None else [_peer(peer) for peer in rule.peers]


def _peer(peer: Peer) -> str:
    if isinstance(peer, CidrPeer):
        return f"{peer.cidr}" + "".join(f" except {hole}" for hole in peer.excepts)
    return peer.entity.value if isinstance(peer, EntityPeer) else str(peer.selector)


def _port(ports: Ports) -> str:
    protocol = protocol_name(ports.proto).lower() if ports.proto else "any"
    if ports.name:
        return f"{ports.name}/{protocol}"
    if (ports.first, ports.last) == (0, HIGHEST_PORT):
        return protocol
    numbers = str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"
    return f"{numbers}/{protocol}"


def list_nodes(cluster: Cluster) -> Iterator[Row]:
    """The nodes of the cluster, this one first, and how each is reached."""
    network = cluster.engine.network
    pods = Counter(record.node or cluster.name for record in cluster.endpoints.values())
    yield _node(cluster.record, "this node", pods)
    for node in sorted(network.others, key=lambda n: n.name):
        tunnel = network.tunnel_to(node)
        way = f"tunnel to {tunnel}" if tunnel else network.mode.value
        yield _node(node, way, pods)


def _node(node: NodeRecord, way: str, pods: Mapping[str, int]) -> Row:
    return {
        "name": node.name,
        "id": node.id,
        "addresses": [str(address) for address in node.addresses],
        "pod-cidrs": [str(cidr) for cidr in node.networks],
        "way": way,
        "pods": pods.get(node.name, 0),
    }
