# SPDX-License-Identifier: Apache-2.0
"""Rule sets: which entries policies become, in cases where the order of a look-up matters."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from tests.core.policy.world import CIDRS, HTTP, IDENTITIES, NAMED, PODS

from axoneme.model import Direction, Identity, PolicyEntry, PolicyKey, Reserved, pod_labels
from axoneme.model.policy import (
    SCTP,
    TCP,
    UDP,
    CidrPeer,
    Entity,
    EntityPeer,
    Policy,
    Ports,
    Rule,
    SelectorPeer,
)
from axoneme.model.rule_set import ALLOW, ANY_PEER, DENY
from axoneme.model.selector import Selector
from axoneme.policy import RuleNumbers, compile_rule_set, find_entry, is_allowed
from axoneme.policy.masks import Mask, probes, range_masks, wider

IN, OUT = Direction.INGRESS, Direction.EGRESS
WEB, API, FAR_API, DB = PODS
ANYONE = EntityPeer(Entity.ALL)
WORLD = EntityPeer(Entity.WORLD)
APIS = SelectorPeer(Selector.of({"k8s:app": "api"}))
TEN = CidrPeer(ip_network("10.0.0.0/8"))
HTTPS = Ports(TCP, 443, 443)


def allow(*peers, ports=None):
    """Return a rule that allows."""
    return Rule(peers or None, ports and (ports,), where="ingress[0]")


def deny(*peers, ports=None):
    """Return a rule that denies."""
    return Rule(peers or None, ports and (ports,), deny=True, where="ingressDeny[0]")


def policy(*rules, name="p", direction=IN):
    """Return a policy for all pods, which closes its direction."""
    side = {"ingress": rules} if direction is IN else {"egress": rules}
    return Policy(
        name=name,
        namespace="front",
        kind="CiliumNetworkPolicy",
        subject=Selector(),
        default_deny_ingress=direction is IN,
        default_deny_egress=direction is OUT,
        **side,
    )


def compiled(*policies, subject=WEB, numbers=None):
    """Return the rule set of an identity of the small world."""
    return compile_rule_set(
        IDENTITIES[subject],
        policies,
        identities=IDENTITIES,
        cidr_identities=CIDRS.numbers,
        named_ports=NAMED,
        rule_number=(numbers or RuleNumbers()).number,
    )


def allows(rule_set, identity, proto=TCP, port=443, cidr="0.0.0.0/0", direction=IN):
    """Say what a look-up in a rule set decides."""
    number = CIDRS.numbers[ip_network(cidr)]
    found = find_entry(rule_set, direction, identity=identity, cidr=number, proto=proto, port=port)
    return is_allowed(rule_set, direction, found)


def test_a_rule_is_an_entry_for_each_identity_that_it_means():
    """Direction and length of the prefix share a byte, as the maps have it."""
    numbers = RuleNumbers({"cnp front/p ingress[0]": 77})
    rule_set = compiled(policy(allow(APIS, ports=HTTPS)), numbers=numbers)
    assert rule_set.entries == {
        PolicyKey(API, 443, TCP, 0x80 | 16): PolicyEntry(77, ALLOW),
        PolicyKey(FAR_API, 443, TCP, 0x80 | 16): PolicyEntry(77, ALLOW),
    }
    assert rule_set.flags == 1
    out = compiled(policy(allow(APIS, ports=HTTPS), direction=OUT))
    assert {key.kind for key in out.entries} == {16}
    assert out.flags == 2


def test_an_identity_that_no_policy_selects_is_open():
    """Nothing is compiled for it."""
    closed = Policy("p", "front", "NetworkPolicy", Selector.of({"k8s:app": "db"}))
    rule_set = compiled(closed)
    assert (rule_set.entries, rule_set.flags, rule_set.selected_by(IN)) == ({}, 0, ())
    assert allows(rule_set, API)


def test_a_default_denial_names_the_policies_that_select():
    """Only those of the direction."""
    rule_set = compiled(policy(name="a"), policy(name="b"), policy(name="c", direction=OUT))
    assert rule_set.selected_by(IN) == ("cnp front/a", "cnp front/b")
    assert rule_set.selected_by(OUT) == ("cnp front/c",)
    assert not allows(rule_set, API)


def test_a_denial_for_more_ports_is_not_hidden_by_a_narrower_entry():
    """Neither for the same peer, nor where anyone else is allowed."""
    rule_set = compiled(policy(allow(APIS, ports=HTTPS), deny(APIS)))
    assert not allows(rule_set, API)
    rule_set = compiled(policy(allow(ports=HTTPS), deny(APIS)))
    assert not allows(rule_set, API)
    assert allows(rule_set, DB)


def test_a_denial_for_anyone_is_not_hidden_by_an_identity():
    """The identity is looked up first."""
    rule_set = compiled(policy(allow(APIS, ports=HTTPS), deny(ports=HTTPS)))
    assert not allows(rule_set, API)


def test_a_narrower_denial_leaves_the_rest():
    """A port of a range, a protocol of all."""
    rule_set = compiled(policy(allow(APIS), deny(APIS, ports=Ports(TCP, 443, 443))))
    assert not allows(rule_set, API)
    assert allows(rule_set, API, port=444)
    assert allows(rule_set, API, proto=UDP)


def test_a_denied_network_is_not_hidden_by_the_world():
    """Strangers of the network are denied, others stay allowed, though the world comes first."""
    rule_set = compiled(policy(allow(WORLD, ports=HTTPS), deny(TEN)))
    assert not allows(rule_set, Reserved.WORLD_IPV4, cidr="10.1.0.0/16")
    assert allows(rule_set, Reserved.WORLD_IPV4, cidr="192.168.0.0/16")
    assert allows(rule_set, Reserved.WORLD_IPV4)
    assert allows(rule_set, Reserved.WORLD_IPV6, cidr="::/0")


def test_a_denied_identity_is_not_hidden_by_its_network():
    """The pod's address is in a network whose addresses are let in, also inside the cluster."""
    block = CidrPeer(TEN.cidr, any_peer=True)
    rule_set = compiled(policy(allow(block, ports=HTTPS), deny(APIS)))
    assert not allows(rule_set, API, cidr="10.1.0.0/16")
    assert allows(rule_set, DB, cidr="10.1.0.0/16")
    assert allows(rule_set, Reserved.WORLD_IPV4, cidr="10.1.0.0/16")


def test_a_network_counts_inside_the_cluster_if_it_says_so():
    """As ipBlock does, and Cilium's CIDRs do not."""
    outside = compiled(policy(allow(TEN)))
    assert not allows(outside, API, cidr="10.0.0.0/8")
    assert allows(outside, Reserved.WORLD_IPV4, cidr="10.0.0.0/8")
    both = compiled(policy(allow(TEN)), policy(allow(CidrPeer(TEN.cidr, any_peer=True)), name="q"))
    assert allows(both, API, cidr="10.0.0.0/8")
    assert {entry.flags for entry in both.entries.values()} == {ANY_PEER}


def test_a_network_is_an_entry_for_each_that_is_named_in_it():
    """Less those in its exceptions: an address is known by the longest alone."""
    hole = ip_network("10.1.0.0/16")
    rule_set = compiled(policy(allow(CidrPeer(TEN.cidr, (hole,)))))
    assert {key.identity for key in rule_set.entries} == {CIDRS.numbers[TEN.cidr]}
    assert rule_set.flags == 1 | 4
    assert not allows(rule_set, Reserved.WORLD_IPV4, cidr="10.1.0.0/24")


def test_what_the_maps_cannot_express_is_denied_and_named():
    """One entry stands for both sides of the cluster's border."""
    block = CidrPeer(TEN.cidr, any_peer=True)
    rule_set = compiled(policy(allow(block), deny(TEN)))
    assert not allows(rule_set, Reserved.WORLD_IPV4, cidr="10.0.0.0/8")
    assert not allows(rule_set, API, cidr="10.0.0.0/8")
    (limit,) = rule_set.limits
    assert limit == (
        "cnp front/p ingress[0] allows no peer inside the cluster of a network that "
        "cnp front/p ingressDeny[0] denies"
    )


def test_a_denied_network_reaches_no_peer_inside():
    """It could not be found before the peer's identity: such a rule is no rule."""
    with pytest.raises(ValueError, match="only an allowed network reaches into the cluster"):
        deny(CidrPeer(TEN.cidr, any_peer=True))


def test_a_network_must_have_a_number():
    """Otherwise its addresses would be counted for a wider one."""
    unknown = CidrPeer(ip_network("172.16.0.0/12"))
    with pytest.raises(ValueError, match=r"172\.16\.0\.0/12 must have an identity"):
        compiled(policy(allow(unknown)))


def test_named_ports_are_resolved():
    """In by the pod's own, out by each peer's; of networks nobody knows them."""
    http = Ports(TCP, name="http")
    rule_set = compiled(policy(allow(APIS, ports=http)))
    assert allows(rule_set, API, port=HTTP.port)
    assert not allows(rule_set, API, port=80)
    out = compiled(policy(allow(ports=http), direction=OUT))
    assert {(key.identity, key.port) for key in out.entries} == {(WEB, 8080), (API, 80)}
    assert not compiled(policy(allow(TEN, ports=http), direction=OUT)).entries


def test_the_first_policy_of_several_is_named():
    """When they say the same of the same packets."""
    numbers = RuleNumbers()
    rule_set = compiled(
        policy(allow(APIS), name="a"), policy(allow(APIS), name="b"), numbers=numbers
    )
    assert {numbers.name(e.rule) for e in rule_set.entries.values()} == {"cnp front/a ingress[0]"}


def test_a_rule_that_denies_is_named_where_it_wins():
    """Not the one that would have allowed."""
    numbers = RuleNumbers()
    rule_set = compiled(policy(allow(ports=HTTPS), deny(APIS)), numbers=numbers)
    entry = find_entry(rule_set, IN, identity=API, cidr=0, proto=TCP, port=443)
    assert entry.verdict == DENY
    assert numbers.name(entry.rule) == "cnp front/p ingressDeny[0]"


def test_the_subject_itself_is_a_peer_like_others():
    """Pods of one identity may be kept from each other."""
    rule_set = compiled(policy(allow(APIS)))
    assert not allows(rule_set, WEB)


def test_identities_that_come_later_are_no_peers():
    """What is compiled is for the identities that were given."""
    rule_set = compiled(policy(allow(APIS)))
    late = Identity(300, pod_labels("front", {"app": "api"}, {}))
    assert not allows(rule_set, late.number)


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        (80, 80, 1), (0, 255, 1), (0, 65535, 1), (1, 65535, 510), (1, 65534, 764),
        (255, 256, 2), (256, 511, 1), (255, 512, 3), (8000, 9000, 236),
    ],
)  # fmt: skip
def test_a_range_is_a_few_prefixes(first, last, count):
    """Of 16 and 8 bits, which hold exactly its ports; never more than 764."""
    masks = range_masks(TCP, first, last)
    assert len(masks) == count
    ports = []
    for mask in masks:
        ports += range(mask.port, mask.port + (1 << (16 - mask.length)))
    assert ports == list(range(first, last + 1))


def test_the_probes_go_from_the_narrowest_to_any():
    """A protocol without ports has two: itself with port 0, and any."""
    assert probes(TCP, 8080) == (
        Mask(TCP, 8080, 16),
        Mask(TCP, 0x1F00, 8),
        Mask(TCP, 0, 0),
        Mask(0, 0, 0),
    )
    assert wider(Mask(SCTP, 0, 0)) == (Mask(SCTP, 0, 0), Mask(0, 0, 0))
