# SPDX-License-Identifier: Apache-2.0
"""A small world for policies: pods with addresses in networks that policies name, and strangers."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import strategies as st

from axoneme.model import Identity, pod_labels
from axoneme.model.identity import RESERVED, Reserved
from axoneme.model.labels import NAMESPACE
from axoneme.model.policy import (
    SCTP,
    TCP,
    UDP,
    CidrPeer,
    Entity,
    EntityPeer,
    NamedPort,
    Policy,
    Ports,
    Rule,
    SelectorPeer,
)
from axoneme.model.selector import Operator, Requirement, Selector
from axoneme.policy import CidrNumbers, Party
from axoneme.wire import is_within

NETWORKS = [
    ip_network(text)
    for text in (
        "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/24", "10.1.0.2/32", "192.168.0.0/16",
        "::/0", "fd00::/8", "fd00:1::/32", "fd00:1::2/128",
    )
]  # fmt: skip
CIDRS = CidrNumbers()
for _network in NETWORKS:
    CIDRS.number(_network)

PODS = {
    number: Identity(number, pod_labels(namespace, {"app": app}, {"team": team}))
    for number, (namespace, team, app) in enumerate(
        (
            ("front", "blue", "web"),
            ("front", "blue", "api"),
            ("back", "red", "api"),
            ("back", "red", "db"),
        ),
        start=256,
    )
}
HTTP = NamedPort("http", TCP, 8080)
NAMED = {
    256: frozenset({HTTP}),
    257: frozenset({NamedPort("http", TCP, 80), NamedPort("dns", UDP, 53)}),
    258: frozenset({NamedPort("http", UDP, 8080)}),
}
IDENTITIES = {**RESERVED, **PODS}
_INSIDE = ("10.1.0.2", "10.1.0.9", "10.1.7.7", "10.9.9.9", "fd00:1::2", "fd00:1::9", "fd00:2::1")
_OUTSIDE = (*_INSIDE, "192.168.1.1", "8.8.8.8", "2001:db8::1")


def _pod(number, address):
    """A peer inside the cluster, with the identity that a packet of its has."""
    labels, ports = IDENTITIES[number].labels, NAMED.get(number, frozenset())
    return number, Party(ip_address(address), labels, ports)


def _stranger(address):
    """A peer outside."""
    world = {4: Reserved.WORLD_IPV4, 6: Reserved.WORLD_IPV6}
    return world[ip_address(address).version], Party(ip_address(address))


#: Ends of flows with the identity that a packet of theirs has.
PEERS = [
    *(_pod(number, address) for number in (256, 258, Reserved.HOST) for address in _INSIDE),
    *map(_stranger, _OUTSIDE),
]
packets = st.tuples(
    st.sampled_from([TCP, UDP, SCTP, 1]),
    st.sampled_from([0, 1, 52, 53, 80, 255, 256, 257, 511, 512, 8079, 8080, 8081, 65535]),
).map(lambda packet: packet if packet[0] != 1 else (1, 0))

_selectors = st.lists(
    st.one_of(
        st.builds(
            Requirement,
            st.sampled_from(["k8s:app", "any:app", NAMESPACE, "k8s:tier"]),
            st.sampled_from([Operator.IN, Operator.NOT_IN]),
            st.sets(st.sampled_from(["web", "api", "db", "front", "back"]), min_size=1),
        ),
        st.builds(
            Requirement,
            st.sampled_from(["k8s:app", "k8s:tier", "reserved:world", "reserved:host"]),
            st.sampled_from([Operator.EXISTS, Operator.DOES_NOT_EXIST]),
        ),
    ),
    max_size=2,
).map(Selector)


@st.composite
def _cidr_peers(draw, any_peer):
    cidr = draw(st.sampled_from(NETWORKS))
    parts = [n for n in NETWORKS if n != cidr and is_within(n, cidr)]
    holes = draw(st.lists(st.sampled_from(parts), max_size=2, unique=True)) if parts else []
    return CidrPeer(cidr, tuple(holes), draw(any_peer))


def _peers(any_peer):
    return st.one_of(
        _selectors.map(SelectorPeer),
        st.sampled_from(Entity).map(EntityPeer),
        _cidr_peers(any_peer),
    )


_edges = st.sampled_from([1, 53, 80, 255, 256, 511, 512, 8079, 8080, 65535])
_ports = st.one_of(
    st.sampled_from([Ports(), Ports(TCP), Ports(TCP, 80, 80)]),
    st.sampled_from([TCP, UDP, SCTP]).map(Ports),
    st.builds(
        lambda proto, ends: Ports(proto, min(ends), max(ends)),
        st.sampled_from([TCP, UDP]),
        st.one_of(st.tuples(_edges, _edges), _edges.map(lambda port: (port, port))),
    ),
    st.builds(Ports, st.sampled_from([TCP, UDP]), name=st.sampled_from(["http", "dns", "none"])),
)


@st.composite
def _rules(draw, section, index, denials):
    deny = draw(denials)
    wanted = _peers(st.just(False) if deny else st.booleans())
    return Rule(
        draw(st.none() | st.lists(wanted, max_size=2).map(tuple)),
        draw(st.none() | st.lists(_ports, min_size=1, max_size=2).map(tuple)),
        deny,
        f"{section}[{index}]",
    )


@st.composite
def _policies(draw, name, denials):
    return Policy(
        name=name,
        namespace="front",
        kind=draw(st.sampled_from(["NetworkPolicy", "CiliumNetworkPolicy"])),
        subject=draw(st.just(Selector()) | _selectors),
        ingress=tuple(draw(_rules("ingress", i, denials)) for i in range(draw(st.integers(0, 3)))),
        egress=tuple(draw(_rules("egress", i, denials)) for i in range(draw(st.integers(0, 3)))),
        default_deny_ingress=draw(st.booleans()),
        default_deny_egress=draw(st.booleans()),
    )


#: A few policies whose rules overlap in every way; of some sets all only allow.
policies = st.tuples(st.integers(1, 3), st.sampled_from([st.booleans(), st.just(False)])).flatmap(
    lambda drawn: st.tuples(*(_policies(f"p{index}", drawn[1]) for index in range(drawn[0])))
)


def cidr_of(address):
    """Return the number of the longest network that an address is in, as the trie does."""
    holding = [network for network in CIDRS.numbers if address in network]
    return CIDRS.numbers[max(holding, key=lambda network: network.prefixlen)]
