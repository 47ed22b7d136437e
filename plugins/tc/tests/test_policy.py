# SPDX-License-Identifier: Apache-2.0
"""policy: what rule sets let out of a pod and into it, asked packet by packet."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from axoneme.model.policy import Direction
from axoneme.model.rule_set import ANY_PEER, DENY, PolicyEntry, PolicyKey
from axoneme.testing.packets import (
    ICMP,
    SCTP,
    TCP,
    UDP,
    Fragment,
    ICMPv6,
    IPv4,
    IPv6,
    frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from axoneme.testing import Packet

ONE, TWO, REMOTE, HOST, WORLD4 = 1001, 1002, 4242, 1, 9
TCP_, UDP_, SCTP_, ICMP_ = 6, 17, 132, 1
EGRESS, INGRESS = Direction.EGRESS, Direction.INGRESS
DENIED, DENY_RULE = "policy_denied", "policy_deny"
ADDRESSES = {
    "IPv4": ("10.1.0.1", "10.1.0.2", "10.2.0.9", "172.31.0.1", "203.0.113.7"),
    "IPv6": ("fd00:10:1::1", "fd00:10:1::2", "fd00:10:2::9", "fd00:172::1", "2001:db8::7"),
}


def packets_of(family: str) -> Callable[..., Packet]:
    """A function that makes a packet from one place to another, in one family."""
    names = ("one", "two", "remote", "node", "world")
    places = dict(zip(names, ADDRESSES[family], strict=True))
    kind = IPv4 if family == "IPv4" else IPv6

    def make(source: str, target: str, layer: Any = None) -> Packet:
        return frame(kind(places[source], places[target]), layer or TCP(40000, 8080))

    return make


@pytest.fixture(params=ADDRESSES)
def between(request):
    """What makes packets, in either family."""
    return packets_of(request.param)


#: For tests with a pipeline of their own, which takes longer than its packets.
FAMILIES = [packets_of(family) for family in ADDRESSES]


def key(identity: int, proto: int = 0, port: int = 0, length: int = 0, direction=INGRESS):
    """The key of an entry."""
    return PolicyKey.of(direction, identity, proto, port, length)


#: What a look-up for TCP 8080 of the first pod asks, from the narrowest to the widest.
LEVELS = [
    key(ONE, TCP_, 8080, 16),
    key(0, TCP_, 8080, 16),
    key(ONE, TCP_, 0x1F00, 8),
    key(0, TCP_, 0x1F00, 8),
    key(ONE, TCP_),
    key(0, TCP_),
    key(ONE),
    key(0),
]
MISSES = [
    key(TWO, TCP_, 8080, 16),
    key(ONE, UDP_, 8080, 16),
    key(ONE, TCP_, 8081, 16),
    key(ONE, TCP_, 0x2000, 8),
    key(0, UDP_),
    key(REMOTE),
    key(ONE, TCP_, 8080, 16, EGRESS),
    key(0, direction=EGRESS),
]


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_an_entry_of_any_width_is_found(ruled, between, level):
    """Alone among entries for other packets, it lets the packet in by its rule."""
    entries = dict.fromkeys(MISSES, PolicyEntry(99)) | {LEVELS[level]: PolicyEntry(20 + level)}
    ruled.hold(ruled.two, entries, default_deny_ingress=True)
    assert ruled.sent(between("one", "two")) == ("redirect", 20 + level)


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_the_narrowest_entry_decides(ruled, between, level):
    """Of several that a packet fits, the first in the order of probes; the others do not matter."""
    entries = {k: PolicyEntry(20 + n, DENY) for n, k in enumerate(LEVELS) if n > level}
    ruled.hold(ruled.two, entries | {LEVELS[level]: PolicyEntry(50)})
    assert ruled.sent(between("one", "two")) == ("redirect", 50)
    entries = {k: PolicyEntry(20 + n) for n, k in enumerate(LEVELS) if n > level}
    ruled.hold(ruled.two, entries | {LEVELS[level]: PolicyEntry(51, DENY)})
    assert ruled.sent(between("one", "two")) == (DENY_RULE, 51)


@pytest.mark.parametrize("miss", MISSES)
def test_an_entry_for_other_packets_lets_nothing_in(ruled, between, miss):
    """Another peer, protocol, port or direction is no reason to pass a default deny."""
    ruled.hold(ruled.two, {miss: PolicyEntry(20)}, default_deny_ingress=True)
    assert ruled.sent(between("one", "two")) == (DENIED, 0)


def test_without_policies_all_passes(ruled, between):
    """An empty rule set drops nothing, and names no rule."""
    assert ruled.sent(between("one", "two")) == ("redirect", 0)
    assert ruled.sent(between("one", "world")) == ("pass", 0)
    assert ruled.routed(between("world", "two")) == ("pass", 0)


def test_a_default_deny_holds_in_its_direction_alone(ruled, between):
    """Ingress stops what comes in, egress what goes out."""
    ruled.hold(ruled.two, default_deny_ingress=True)
    assert ruled.sent(between("one", "two")) == (DENIED, 0)
    assert ruled.ask("from_pod", between("two", "one"), ruled.two) == ("redirect", 0)
    ruled.hold(ruled.two, default_deny_egress=True)
    assert ruled.sent(between("one", "two")) == ("redirect", 0)
    assert ruled.ask("from_pod", between("two", "one"), ruled.two) == (DENIED, 0)


def test_both_sides_are_asked(ruled, between):
    """What one pod may send, the other must admit: each by its own rule set."""
    out = {key(TWO, TCP_, 8080, 16, EGRESS): PolicyEntry(20)}
    into = {key(ONE, TCP_, 8080, 16): PolicyEntry(21)}
    ruled.hold(ruled.one, out, default_deny_egress=True)
    assert ruled.sent(between("one", "two")) == ("redirect", 0)
    ruled.hold(ruled.two, into, default_deny_ingress=True)
    assert ruled.sent(between("one", "two")) == ("redirect", 21)
    ruled.hold(ruled.two, default_deny_ingress=True)
    assert ruled.sent(between("one", "two")) == (DENIED, 0)
    ruled.hold(ruled.one, default_deny_egress=True)
    ruled.hold(ruled.two, into, default_deny_ingress=True)
    assert ruled.sent(between("one", "two")) == (DENIED, 0)


@pytest.mark.parametrize(
    ("layer", "entry"),
    [
        (TCP(1, 443), key(ONE, TCP_, 443, 16)),
        (UDP(1, 53), key(ONE, UDP_, 53, 16)),
        (SCTP(1, 36412), key(ONE, SCTP_, 36412, 16)),
        (TCP(1, 0xFFFF), key(ONE, TCP_, 0xFF00, 8)),
        (UDP(1, 1), key(ONE, UDP_, 0, 8)),
    ],
    ids=str,
)
def test_protocols_and_ports_are_told_apart(ruled, between, layer, entry):
    """The entry for a protocol and port lets that through and its neighbours not."""
    ruled.hold(ruled.two, {entry: PolicyEntry(20)}, default_deny_ingress=True)
    assert ruled.sent(between("one", "two", layer)) == ("redirect", 20)
    for other in (TCP(1, 800), UDP(1, 800), SCTP(1, 800)):
        assert ruled.sent(between("one", "two", other)) == (DENIED, 0)


@pytest.mark.parametrize(
    "packet",
    [
        frame(IPv4("10.1.0.1", "10.1.0.2"), ICMP.echo(1)),
        frame(IPv6("fd00:10:1::1", "fd00:10:1::2"), ICMPv6.echo(1)),
        frame(IPv4("10.1.0.1", "10.1.0.2", 47), b"gre"),
    ],
    ids=["ICMP", "ICMPv6", "GRE"],
)
def test_what_has_no_ports_needs_an_entry_for_all_of_them(ruled, packet):
    """A port lets no echo in; any protocol does."""
    ruled.hold(ruled.two, {key(ONE, TCP_): PolicyEntry(20)}, default_deny_ingress=True)
    assert ruled.sent(packet) == (DENIED, 0)
    ruled.hold(ruled.two, {key(ONE): PolicyEntry(21)}, default_deny_ingress=True)
    assert ruled.sent(packet) == ("redirect", 21)


def test_the_type_of_icmp_is_its_port(ruled):
    """An entry may allow echo requests and no other message."""
    entries = {key(ONE, ICMP_, 8, 16): PolicyEntry(20)}
    ruled.hold(ruled.two, entries, default_deny_ingress=True)
    echo, stamp = (frame(IPv4("10.1.0.1", "10.1.0.2"), ICMP(kind)) for kind in (8, 13))
    assert ruled.sent(echo / bytes(8)) == ("redirect", 20)
    assert ruled.sent(stamp / bytes(16)) == (DENIED, 0)


def test_peers_of_other_nodes_are_known_by_their_address(ruled, between):
    """A pod elsewhere has its identity from ipcache, in both directions."""
    ruled.hold(ruled.two, {key(REMOTE): PolicyEntry(20)}, default_deny_ingress=True)
    assert ruled.routed(between("remote", "two")) == ("pass", 20)
    assert ruled.routed(between("world", "two")) == (DENIED, 0)
    entries = {key(REMOTE, direction=EGRESS): PolicyEntry(21)}
    ruled.hold(ruled.one, entries, default_deny_egress=True)
    assert ruled.sent(between("one", "remote")) == ("pass", 21)
    assert ruled.sent(between("one", "world")) == (DENIED, 0)
    assert ruled.sent(between("one", "node")) == (DENIED, 0)


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_the_world_of_each_family_has_its_own_identity(ruled, family):
    """Whoever allows the world allows both, by two entries."""
    _, two, *_, world = ADDRESSES[family]
    kind, identity = (IPv4, 9) if family == "IPv4" else (IPv6, 10)
    packet = frame(kind(world, two), TCP(1, 2))
    ruled.hold(ruled.two, {key(identity): PolicyEntry(20)}, default_deny_ingress=True)
    assert ruled.routed(packet) == ("pass", 20)
    ruled.hold(ruled.two, {key(19 - identity): PolicyEntry(20)}, default_deny_ingress=True)
    assert ruled.routed(packet) == (DENIED, 0)


# The node


def test_the_node_reaches_its_pods_under_default_deny(ruled, between):
    """As kubelet's probes must; another node does not."""
    ruled.hold(ruled.two, default_deny_ingress=True)
    assert ruled.routed(between("node", "two")) == ("pass", 1)
    assert ruled.routed(frame(IPv4("172.31.0.2", "10.1.0.2"), TCP(1, 2))) == (DENIED, 0)


def test_a_rule_may_deny_the_node(ruled, between):
    """What is allowed by default is denied by an entry, and allowed by a better one."""
    ruled.hold(ruled.two, {key(HOST): PolicyEntry(30, DENY)}, default_deny_ingress=True)
    assert ruled.routed(between("node", "two")) == (DENY_RULE, 30)
    ruled.hold(ruled.two, {key(HOST): PolicyEntry(31)}, default_deny_ingress=True)
    assert ruled.routed(between("node", "two")) == ("pass", 31)


def test_a_pod_needs_a_rule_to_reach_the_node(ruled, between):
    """The allowance is for what comes in."""
    ruled.hold(ruled.one, default_deny_egress=True)
    assert ruled.sent(between("one", "node")) == (DENIED, 0)


SOLICITS = [
    frame(IPv6(source, "ff02::1:ff00:2", hop_limit=255), ICMPv6(135), bytes(20))
    for source in ("fe80::1", "::", "fd00:172::1")
]


@pytest.mark.parametrize("packet", SOLICITS)
def test_neighbour_discovery_is_above_policy(ruled, packet):
    """The link works under default deny: the node asks for the pod, the pod for its gateway."""
    ruled.hold(ruled.two, default_deny_ingress=True)
    assert ruled.routed(packet) == ("pass", 0)
    ruled.hold(ruled.one, default_deny_egress=True)
    own = frame(IPv6("fd00:10:1::1", "fe80::1", hop_limit=255), ICMPv6(135), bytes(20))
    assert ruled.sent(own) == ("pass", 0)


def test_a_solicitation_to_another_pod_is_traffic(ruled):
    """Nobody gets past a policy with the messages of a link that is not theirs."""
    packet = frame(IPv6("fd00:10:1::1", "fd00:10:1::2", hop_limit=255), ICMPv6(135), bytes(20))
    ruled.hold(ruled.two, default_deny_ingress=True)
    assert ruled.sent(packet) == (DENIED, 0)
    ruled.hold(ruled.one, default_deny_egress=True)
    assert ruled.sent(packet) == (DENIED, 0)


def test_what_is_routed_to_a_pod_for_somebody_else_is_dropped(ruled):
    """An address that is not the pod's has no rule set: better closed than open."""
    packet = frame(IPv4("203.0.113.7", "10.1.0.77"), TCP(1, 2))
    assert ruled.routed(packet) == (DENIED, 0)


# Networks


NETS = {ip_network("203.0.0.0/16"): 1 << 24, ip_network("203.0.113.0/24"): (1 << 24) + 1}
NETS |= {ip_network("2001:db8::/32"): (1 << 24) + 2, ip_network("10.2.0.0/16"): (1 << 24) + 3}


@pytest.fixture
def nets(ruled):
    """The ruled pair, knowing networks by name."""
    ruled.call(ruled.addresses.put_cidrs, NETS)
    return ruled


def test_an_address_is_of_its_longest_network(nets):
    """The entry of the network that it is cut out of is not for it."""
    inside, beside = (frame(IPv4(a, "10.1.0.2"), TCP(1, 2)) for a in ("203.0.113.7", "203.0.1.1"))
    entries = {key(1 << 24): PolicyEntry(20)}
    nets.hold(nets.two, entries, default_deny_ingress=True, names_cidrs=True)
    assert nets.routed(beside) == ("pass", 20)
    assert nets.routed(inside) == (DENIED, 0)
    nets.hold(
        nets.two, {key((1 << 24) + 1): PolicyEntry(21)}, default_deny_ingress=True, names_cidrs=True
    )
    assert nets.routed(beside) == (DENIED, 0)
    assert nets.routed(inside) == ("pass", 21)


def test_networks_of_ipv6_and_of_what_goes_out(nets):
    """They are looked up for the peer, whichever side that is."""
    entries = {key((1 << 24) + 2, TCP_, 443, 16, EGRESS): PolicyEntry(20)}
    nets.hold(nets.one, entries, default_deny_egress=True, names_cidrs=True)
    assert nets.sent(frame(IPv6("fd00:10:1::1", "2001:db8::7"), TCP(1, 443))) == ("pass", 20)
    assert nets.sent(frame(IPv6("fd00:10:1::1", "2001:db8::7"), TCP(1, 80))) == (DENIED, 0)
    assert nets.sent(frame(IPv6("fd00:10:1::1", "2001:db9::7"), TCP(1, 443))) == (DENIED, 0)


def test_a_network_is_for_strangers_unless_it_says_otherwise(nets, ruled):
    """A pod of the cluster is known by its labels; only a marked entry counts for it, too."""
    packet = frame(IPv4("10.2.0.9", "10.1.0.2"), TCP(1, 2))
    network = key((1 << 24) + 3)
    flags = {"default_deny_ingress": True, "names_cidrs": True}
    nets.hold(nets.two, {network: PolicyEntry(20)}, **flags)
    assert nets.routed(packet) == (DENIED, 0)
    nets.hold(nets.two, {network: PolicyEntry(20, flags=ANY_PEER)}, **flags)
    assert nets.routed(packet) == ("pass", 20)
    stranger = frame(IPv4("10.2.0.10", "10.1.0.2"), TCP(1, 2))
    assert nets.routed(stranger) == ("pass", 20)


def test_the_peer_comes_before_its_network_and_that_before_any(nets):
    """Within one width of ports."""
    packet = frame(IPv4("203.0.113.7", "10.1.0.2"), TCP(1, 2))
    entries = {key(0): PolicyEntry(20), key((1 << 24) + 1): PolicyEntry(21, DENY)}
    nets.hold(nets.two, entries, names_cidrs=True)
    assert nets.routed(packet) == (DENY_RULE, 21)
    nets.hold(nets.two, entries | {key(WORLD4): PolicyEntry(22)}, names_cidrs=True)
    assert nets.routed(packet) == ("pass", 22)


# Fragments, slots, knobs


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_later_fragment_of_nothing_gets_in_by_no_port(ruled, family):
    """Whatever stands where a port would."""
    if family == "IPv4":
        packet = frame(IPv4("10.1.0.1", "10.1.0.2", TCP_, offset=64), TCP(40000, 8080))
    else:
        ip = IPv6("fd00:10:1::1", "fd00:10:1::2")
        packet = frame(ip, Fragment(64, next_header=TCP_), b"\x9c\x40\x1f\x90" + bytes(16))
    ruled.hold(ruled.two, {key(ONE, TCP_, 8080, 16): PolicyEntry(20)}, default_deny_ingress=True)
    assert ruled.sent(packet)[0] in {DENIED, "fragment_not_found"}


def test_a_slot_that_is_not_filled_is_closed(new_ruled):
    """Where an endpoint has a slot and the slot no rule set, nothing gets in or out."""
    with new_ruled("") as ruled:
        ruled.call(ruled.rules.release, TWO)
        for between in FAMILIES:
            assert ruled.sent(between("one", "two")) == (DENIED, 0)
            assert ruled.ask("from_pod", between("two", "one"), ruled.two) == (DENIED, 0)


def test_ten_thousand_entries_are_as_good_as_one(ruled, between):
    """Each is found, and the packet that none is for is dropped."""
    entries = {key(ONE, TCP_, port, 16): PolicyEntry(16 + port) for port in range(1, 10_001)}
    ruled.hold(ruled.two, entries, default_deny_ingress=True)
    for port in (1, 8080, 10_000):
        assert ruled.sent(between("one", "two", TCP(1, port))) == ("redirect", 16 + port)
    assert ruled.sent(between("one", "two", TCP(1, 10_001))) == (DENIED, 0)
    assert ruled.sent(between("one", "two", UDP(1, 8080))) == (DENIED, 0)


def test_without_the_allowance_the_node_needs_a_rule(new_ruled):
    """allow-host may be off."""
    with new_ruled("[tc]\nallow-host = false") as ruled:
        ruled.hold(ruled.two, default_deny_ingress=True)
        for between in FAMILIES:
            assert ruled.routed(between("node", "two")) == (DENIED, 0)
        assert ruled.routed(SOLICITS[0]) == ("pass", 0)
        ruled.hold(ruled.two, {key(HOST): PolicyEntry(20)}, default_deny_ingress=True)
        for between in FAMILIES:
            assert ruled.routed(between("node", "two")) == ("pass", 20)


def test_without_the_object_no_rule_set_holds(new_ruled):
    """The object can be off."""
    with new_ruled("[tc]\npolicy = false") as ruled:
        ruled.hold(ruled.two, default_deny_ingress=True)
        for between in FAMILIES:
            assert ruled.sent(between("one", "two")) == ("redirect", 0)


def test_without_admit_a_pod_is_held_to_its_policy(new_ruled):
    """policy finds out by itself whose address it is."""
    with new_ruled("[tc]\nadmit = false") as ruled:
        ruled.hold(ruled.one, default_deny_egress=True)
        for between in FAMILIES:
            assert ruled.sent(between("one", "two")) == (DENIED, 0)


def test_without_forward_the_receivers_rules_hold_behind_the_kernel(new_ruled):
    """What the kernel routes to a pod is asked for there, by the sender's address."""
    with new_ruled("[tc]\nforward = false") as ruled:
        entries = {key(ONE): PolicyEntry(20)}
        ruled.hold(ruled.two, entries, default_deny_ingress=True)
        for between in FAMILIES:
            assert ruled.sent(between("one", "two")) == ("pass", 0)
            assert ruled.routed(between("one", "two")) == ("pass", 20)


def test_real_traffic_obeys(new_ruled):
    """A pod that may not connect gets no answer; one that may does, and replies need no rule."""
    with new_ruled("") as ruled:
        one, two = ruled.one, ruled.two
        two.serve(8080)
        entries = {key(ONE, TCP_, 8080, 16): PolicyEntry(20)}
        ruled.hold(two, entries, default_deny_ingress=True)
        for address in two.addresses:
            assert one.request(address, 8080, b"hello") == b"hello"
        ruled.hold(two, default_deny_ingress=True)
        for address in two.addresses:
            with pytest.raises(OSError, match="timed out"):
                one.request(address, 8080, b"hello", timeout=0.3)
        assert ruled.pipeline.dropped(DENIED) > 0
