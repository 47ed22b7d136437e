# SPDX-License-Identifier: Apache-2.0
"""What each stage of the plugin asks its maps about a packet: its C, told for people.

A test runs both on the same packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from axoneme.model import Direction, Lookup, PolicyKey
from axoneme.model.identity import OUTSIDE
from axoneme.model.rule_set import ANY_PEER, NAMES_CIDRS
from axoneme.policy.masks import probes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from axoneme.datapath import Datapath, Step

_ICMP = (1, 58)
_SOURCE, _TARGET = "tuple.saddr", "tuple.daddr"
_TO_ENDPOINT = 1 << 3  # AXN_TO_ENDPOINT: to_pod's stages run behind those of another trunk
_ASKED = 1 << 7  # AXN_EGRESS_ASKED; that of ingress is the next bit
_LONGEST = 128  # bits of an address in the trie


def lookups(step: Step, datapath: Datapath) -> Iterable[Lookup]:
    """Return what the stage of a step looked up."""
    ask = _STAGES.get(step.stage)
    return ask(step, datapath) if ask else ()


def _of(name: str, *keys: Any) -> Lookup:
    return Lookup(name, keys)


def _admit(step: Step, _: Datapath) -> Iterator[Lookup]:
    yield _of("endpoints", step.packet[_SOURCE])


def _identify(step: Step, _: Datapath) -> Iterator[Lookup]:
    for name in ("endpoints", "ipcache"):
        yield _of(name, step.packet[_SOURCE])


def _stamp(step: Step, _: Datapath) -> Iterator[Lookup]:
    yield _of("ipcache", step.packet[_TARGET])


def _track(step: Step, _: Datapath) -> Iterator[Lookup]:
    packet = step.packet
    if not packet["conntrack"] or packet["tuple.proto"] in _ICMP:
        return  # the key of a ping has its identifier, which struct packet does not
    if step.trunk == "to_pod" and packet["flags"] & _TO_ENDPOINT and packet["src_endpoint"]:
        return  # done already, on the sender's side
    source = (packet[_SOURCE], packet["tuple.sport"])
    target = (packet[_TARGET], packet["tuple.dport"])
    (saddr, sport), (daddr, dport) = sorted([source, target])
    proto = packet["tuple.proto"]
    key = {"saddr": saddr, "daddr": daddr, "sport": sport, "dport": dport, "proto": proto}
    yield _of("conntrack", key)


def _forward(step: Step, _: Datapath) -> Iterator[Lookup]:
    yield _of("endpoints", step.packet[_TARGET])
    if not step.packet["dst_endpoint"]:
        yield _of("ipcache", step.packet[_TARGET])


def _deliver(step: Step, _: Datapath) -> Iterator[Lookup]:
    if step.trunk == "to_pod":
        return
    if step.trunk == "from_uplink":
        yield _of("endpoints", step.packet[_SOURCE])
        yield _of("ipcache", step.packet[_SOURCE])
    yield _of("endpoints", step.packet[_TARGET])


def _policy(step: Step, datapath: Datapath) -> Iterator[Lookup]:
    """The rule set of the pod, the network of its peer, and the entry that decides."""
    packet = step.packet
    if not packet["flags"] & _ASKED << packet["direction"]:
        return
    direction = Direction(packet["direction"])
    ingress = direction is Direction.INGRESS
    slot = packet["dst_rule_set" if ingress else "src_rule_set"]
    if not slot:
        return
    yield _of("rule_sets", slot)
    row = datapath.table("rule_sets").get(slot)
    if row is None or not row["active"]:
        return
    peer = packet["src_identity" if ingress else "dst_identity"]
    network = 0
    if row["flags"] & NAMES_CIDRS:
        key = {"length": _LONGEST, "address": packet[_SOURCE if ingress else _TARGET]}
        yield _of("cidrs", key)
        network = datapath.table("cidrs").get(key, 0)
    keys = _policy_keys(packet, direction, peer, network)
    policy = datapath.table("policy")
    wanted = [key | {"rule_set": row["active"]} for key in keys]
    yield _of("policy", *(k for k in wanted if _counts(policy.get(k), k, peer, network)))


def _policy_keys(
    packet: Mapping[str, Any], direction: Direction, peer: int, network: int
) -> Iterator[dict[str, int]]:
    proto = packet["tuple.proto"]
    port = packet["tuple.sport" if proto in _ICMP else "tuple.dport"]
    for mask in probes(proto, port):
        for identity in dict.fromkeys((peer, network, 0)):
            key = PolicyKey.of(direction, identity, mask.proto, mask.port, mask.length)
            yield key._asdict()


def _counts(entry: Mapping[str, Any] | None, key: Mapping[str, int], peer: int, net: int) -> bool:
    """Whether an entry counts, if there is one: one for a network does for outsiders only."""
    if entry is None or not net or key["identity"] != net:
        return True
    return peer in OUTSIDE or bool(entry["flags"] & ANY_PEER)


_STAGES: Final[Mapping[str, Callable[[Step, Datapath], Iterator[Lookup]]]] = {
    "admit": _admit,
    "deliver": _deliver,
    "forward": _forward,
    "identify": _identify,
    "policy": _policy,
    "stamp": _stamp,
    "track": _track,
}
