# SPDX-License-Identifier: Apache-2.0
"""Policies in the one form that all kinds of manifests are read into."""

from __future__ import annotations

from enum import Enum, IntEnum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import field, frozen

from axoneme.model.identity import OUTSIDE, Reserved
from axoneme.model.labels import NAMESPACE

if TYPE_CHECKING:
    from axoneme.model.address import Address
    from axoneme.model.labels import Labels
    from axoneme.model.selector import Selector

Network: TypeAlias = IPv4Network | IPv6Network

HIGHEST_PORT: Final = 65535
#: The protocols whose packets have ports.
TCP, UDP, SCTP = 6, 17, 132
PROTOCOLS: Final = {"TCP": TCP, "UDP": UDP, "SCTP": SCTP}
_PROTOCOL_NAMES: Final = {1: "ICMPv4", 58: "ICMPv6"} | {n: name for name, n in PROTOCOLS.items()}


def protocol_name(number: int) -> str:
    """Return what people call a protocol; of one that is not known here its number."""
    return _PROTOCOL_NAMES.get(number) or str(number)


class Direction(IntEnum):
    """Out of an endpoint or into it; the number is the high bit of a policy key's kind."""

    EGRESS = 0
    INGRESS = 1


class Entity(Enum):
    """Peers that need no labels, in the words of a manifest."""

    ALL = "all"
    WORLD = "world"
    WORLD_IPV4 = "world-ipv4"
    WORLD_IPV6 = "world-ipv6"
    CLUSTER = "cluster"
    HOST = "host"
    INIT = "init"
    INGRESS = "ingress"
    UNMANAGED = "unmanaged"
    REMOTE_NODE = "remote-node"
    HEALTH = "health"
    KUBE_APISERVER = "kube-apiserver"
    NONE = "none"


_IN_CLUSTER: Final = tuple(
    number.label for number in Reserved if number not in {*OUTSIDE, Reserved.UNMANAGED}
)


@frozen(cache_hash=True, order=False)
class SelectorPeer:
    """Everyone whose labels match."""

    selector: Selector

    def matches(self, labels: Labels) -> bool:
        """Say whether a peer with these labels is meant."""
        return self.selector.matches(labels)


@frozen(cache_hash=True, order=False)
class EntityPeer:
    """Everyone of a kind."""

    entity: Entity

    def matches(self, labels: Labels) -> bool:
        """Say whether a peer with these labels is meant."""
        match self.entity:
            case Entity.ALL:
                return True
            case Entity.NONE:
                return False
            case Entity.CLUSTER:
                return NAMESPACE in labels or any(label in labels for label in _IN_CLUSTER)
            case entity:
                return f"reserved:{entity.value}" in labels


@frozen(cache_hash=True, order=False)
class CidrPeer:
    """Everyone in a network but in none of `excepts`: outside the cluster, or with `any_peer`
    inside it as well.
    """

    cidr: Network
    excepts: tuple[Network, ...] = ()
    any_peer: bool = False

    def holds(self, address: Address) -> bool:
        """Say whether an address is in the network, and in none of the exceptions."""
        return address in self.cidr and not any(address in hole for hole in self.excepts)


Peer: TypeAlias = SelectorPeer | EntityPeer | CidrPeer


@frozen(cache_hash=True, order=False)
class NamedPort:
    """A port that a pod gave a name."""

    name: str
    proto: int
    port: int


@frozen(cache_hash=True, order=False)
class Ports:
    """Ports of one protocol: from first to last, or those that a pod calls `name`.

    Protocol 0 is any, also one without ports; it has no range and no name.
    """

    proto: int = 0
    first: int = 0
    last: int = HIGHEST_PORT
    name: str = ""

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.first <= self.last <= HIGHEST_PORT:
            raise ValueError(f"{self.first} to {self.last} is no range of ports")
        if not self.proto and (self.name or (self.first, self.last) != (0, HIGHEST_PORT)):
            raise ValueError("a port needs a protocol")


@frozen(cache_hash=True, order=False)
class Rule:
    """Whom, and on which ports, a policy allows or denies; None is anyone, and any port.

    `where` says which rule of the policy it is, as ingress[0], and `place` is FILE:LINE where it
    is written: the same rule elsewhere is no other.
    """

    peers: tuple[Peer, ...] | None
    ports: tuple[Ports, ...] | None
    deny: bool = False
    where: str = ""
    place: str = field(default="", eq=False)

    def __attrs_post_init__(self) -> None:
        # An entry for an identity is found before one for a network, so that it could not deny.
        if self.deny and any(isinstance(p, CidrPeer) and p.any_peer for p in self.peers or ()):
            raise ValueError(f"{self.where}: only an allowed network reaches into the cluster")


@frozen
class RuleName:
    """A rule by its policy and its place there; str() is what maps and lists have."""

    policy: str
    rule: str

    @classmethod
    def parse(cls, text: str) -> RuleName:
        """Return the name that a text is: default/web ingress[0]."""
        policy, _, rule = text.rpartition(" ")
        return cls(policy, rule)

    def __str__(self) -> str:
        """Return both."""
        return f"{self.policy} {self.rule}".lstrip()


#: By the numbers of enum axn_rule: rules that no policy wrote.
OTHER_RULES: Final = {1: RuleName("", "the pod's own node")}


@frozen(cache_hash=True, order=False)
class Policy:
    """Whose traffic is restricted, and what remains; `kind` is that of its manifest.

    `place` is FILE:LINE where it begins.
    """

    name: str
    namespace: str
    kind: str
    subject: Selector
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    default_deny_ingress: bool = False
    default_deny_egress: bool = False
    place: str = field(default="", eq=False)
    names_cidrs: bool = field(init=False, eq=False, repr=False)
    is_plain: bool = field(init=False, eq=False, repr=False)

    @names_cidrs.default
    def _names_cidrs(self) -> bool:
        rules = self.ingress + self.egress
        return any(isinstance(peer, CidrPeer) for rule in rules for peer in rule.peers or ())

    @is_plain.default
    def _is_plain(self) -> bool:
        """Say whether it only allows, and means the same for every pod that it selects."""
        denies = any(rule.deny for rule in self.ingress + self.egress)
        named = any(ports.name for rule in self.ingress for ports in rule.ports or ())
        return not (denies or named)

    def name_of(self, rule: Rule) -> RuleName:
        """Return what one of its rules is called."""
        return RuleName(self.title, rule.where)

    @property
    def title(self) -> str:
        """What verdicts call the policy: default/web, and cnp default/web for Cilium's kind."""
        short = "" if self.kind == "NetworkPolicy" else "cnp "
        return f"{short}{self.namespace}/{self.name}"

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """The rules of one direction."""
        return self.ingress if direction is Direction.INGRESS else self.egress

    def default_deny(self, direction: Direction) -> bool:
        """Say whether what no rule allows is denied."""
        ingress = direction is Direction.INGRESS
        return self.default_deny_ingress if ingress else self.default_deny_egress
