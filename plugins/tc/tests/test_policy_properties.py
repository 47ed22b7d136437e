# SPDX-License-Identifier: Apache-2.0
"""policy against a model of its look-up, on rule sets that nobody would write."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axoneme.model.policy import Direction
from axoneme.model.rule_set import ANY_PEER, PolicyEntry, PolicyKey, RuleSet
from axoneme.policy import find_entry, is_allowed
from axoneme.testing import Packet, scaled
from axoneme.testing.packets import SCTP, TCP, UDP, Ethernet, IPv4, IPv6
from axoneme_tc.lookups import lookups

HOST_MAY = 1  # AXN_RULE_HOST: a rule that no map has
FIRST = 1 << 24
NETS = {"203.0.0.0/16": FIRST, "203.0.113.0/24": FIRST + 1, "10.2.0.0/16": FIRST + 2}
NETS |= {"2001:db8::/32": FIRST + 3, "fd00:10:2::/48": FIRST + 4}
#: Peers by address: identity, and the number of their network.
PEERS = {
    "203.0.113.7": (9, FIRST + 1),
    "203.0.1.1": (9, FIRST),
    "192.0.2.9": (9, 0),
    "10.2.0.9": (4242, FIRST + 2),
    "172.31.0.2": (6, 0),
    "2001:db8::7": (10, FIRST + 3),
    "fd00:10:2::9": (4242, FIRST + 4),
    "fd00:172::1": (1, 0),
}
PROTOCOLS = {6: TCP, 17: UDP, 132: SCTP}
PORTS = [0, 1, 79, 80, 0x50FF, 0x5000, 0xFFFF]

ports = st.sampled_from(PORTS)
peers = st.sampled_from(sorted(PEERS))
protocols = st.sampled_from(sorted(PROTOCOLS))
identities = st.sampled_from([0, 1, 6, 9, 10, 4242, *range(FIRST, FIRST + 5)])
entries = st.builds(
    PolicyEntry,
    rule=st.integers(16, 2**20 - 1),
    verdict=st.sampled_from([0, 1]),
    flags=st.sampled_from([0, ANY_PEER]),
    proxy=st.just(0),
)


@st.composite
def keys(draw):
    """A key that a compiler may write."""
    direction, identity = draw(st.sampled_from(Direction)), draw(identities)
    if draw(st.integers(0, 3)) == 0:
        return PolicyKey.of(direction, identity)
    length = draw(st.sampled_from([16, 8, 0]))
    port = draw(ports) & (0xFFFF << (16 - length)) & 0xFFFF
    return PolicyKey.of(direction, identity, draw(protocols), port, length)


rule_sets = st.builds(
    RuleSet,
    st.dictionaries(keys(), entries, max_size=24),
    default_deny_ingress=st.booleans(),
    default_deny_egress=st.booleans(),
    names_cidrs=st.booleans(),
)
packets = st.lists(
    st.tuples(peers, protocols, ports, st.sampled_from(Direction)), min_size=4, max_size=12
)


def expected(rule_set, peer, proto, port, direction):
    """What the model says: the reason for a drop or nothing, and the rule."""
    identity, cidr = PEERS[peer]
    entry = find_entry(rule_set, direction, identity=identity, cidr=cidr, proto=proto, port=port)
    rule = entry.rule if entry else 0
    if is_allowed(rule_set, direction, entry):
        return "pass", rule
    if entry is None and identity == 1 and direction is Direction.INGRESS:
        return "pass", 1  # the node itself
    return ("policy_deny" if entry else "policy_denied"), rule


def frame(pod, peer, proto, port, direction):
    """A packet between the pod and a peer, to the port."""
    own, kind = (pod.ipv6, IPv6) if ":" in peer else (pod.ipv4, IPv4)
    ends = (str(own), peer) if direction is Direction.EGRESS else (peer, str(own))
    return Packet((Ethernet(), kind(*ends), PROTOCOLS[proto](40000, port)))


@pytest.fixture
def nets(ruled):
    """The ruled pair, knowing the networks."""
    cidrs = {ip_network(network): number for network, number in NETS.items()}
    ruled.call(ruled.addresses.put_cidrs, cidrs)
    return ruled


some_examples = settings(
    max_examples=max(10, round(80 / scaled(1))),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@some_examples
@given(rule_sets, packets)
def test_the_kernel_decides_as_the_model_does(nets, rule_set, packets):
    """Verdict, reason and rule of every packet."""
    pod = nets.one
    nets.call(nets.rules.install, nets.rules.slot(1001), rule_set)
    for peer, proto, port, direction in packets:
        packet = frame(pod, peer, proto, port, direction)
        trunk = "from_pod" if direction is Direction.EGRESS else "to_pod"
        assert nets.ask(trunk, packet, pod) == expected(rule_set, peer, proto, port, direction)


def told(datapath, step):
    """The rows that the stage of a step is said to have found, by the map."""
    found = {}
    for lookup in lookups(step, datapath):
        rows = map(datapath.table(lookup.map).get, lookup.keys)
        found[lookup.map] = next((row for row in rows if row is not None), None)
    return found


@some_examples
@given(rule_sets, packets)
def test_the_entry_that_people_are_told_of_is_the_one_that_decided(nets, rule_set, packets):
    """What explains a verdict looks up in Python what the kernel looks up in C."""
    pod, pipeline = nets.one, nets.pipeline
    nets.call(nets.rules.install, nets.rules.slot(1001), rule_set)
    for peer, proto, port, direction in packets:
        packet = frame(pod, peer, proto, port, direction)
        trunk = "from_pod" if direction is Direction.EGRESS else "to_pod"
        _, steps = pipeline.probe(trunk, bytes(packet), pod=pod)
        (step,) = (step for step in steps if step.stage == "policy")
        entry = nets.call(told, pipeline.datapath, step)["policy"]
        assert (entry["rule"] if entry else 0) == (0 if step.rule == HOST_MAY else step.rule)
