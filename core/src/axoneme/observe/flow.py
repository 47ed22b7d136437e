# SPDX-License-Identifier: Apache-2.0
"""Rows with their names: what one packet was, who sent it to whom, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from axoneme.model import unpack_address
from axoneme.model.identity import RESERVED
from axoneme.model.policy import protocol_name
from axoneme.observe.book import (
    DENIAL,
    DEVICE,
    DROP,
    IDENTITY,
    PARTY,
    POLICY_DENIED,
    POLICY_DENY,
    REASON,
    RULE,
)
from axoneme.observe.directory import title
from axoneme.observe.rows import port
from axoneme.observe.words import CONNTRACK, DIRECTIONS, KIND_NAMES, VERDICT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from axoneme.observe.book import Book
    from axoneme.observe.rows import Columns, RowLayout

_DENIED = frozenset({POLICY_DENIED, POLICY_DENY})
_EGRESS_VERDICT, _INGRESS_VERDICT = 2, 4
_FIELDS = (
    "time",
    "cpu",
    "kinds",
    "verdict",
    "packet.tuple.saddr",
    "packet.tuple.daddr",
    "packet.tuple.sport",
    "packet.tuple.dport",
    "packet.tuple.proto",
    "packet.src_identity",
    "packet.dst_identity",
    "packet.ifindex",
    "packet.len",
    "packet.rule",
    "packet.reason",
    "packet.trunk",
    "packet.direction",
    "packet.family",
    "packet.tcp_flags",
    "packet.conntrack",
    "packet.egress_rule",
    "packet.ingress_rule",
)


@frozen
class Party:
    """One side of a packet; a node has no namespace, and what is outside no name either."""

    address: str
    identity: int
    name: str = ""
    namespace: str = ""
    node: str = ""
    endpoint: int = 0
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the pod's name as Kubernetes writes it, the node's, or the address."""
        if self.name:
            return title(self.namespace, self.name)
        return f"[{self.address}]" if ":" in self.address else self.address


@frozen
class Reason:
    """Why a packet was dropped."""

    number: int
    name: str
    text: str
    owner: str


@frozen
class Judgement:
    """What policy said of a packet in one direction, and whose word it was.

    `policies` has the policy of the rule; where no rule decided, those that select the pod, if the
    packet was denied because none of them allows it.
    """

    allowed: bool
    rule: str = ""
    policies: tuple[str, ...] = ()


@frozen
class Flow:
    """One packet, as its trunk saw it at the end. `time` is in ns since 1970."""

    time: int
    cpu: int
    kinds: tuple[str, ...]
    verdict: str
    source: Party
    destination: Party
    source_port: int
    destination_port: int
    protocol: str
    trunk: str
    device: str
    direction: str
    family: int
    length: int
    tcp_flags: int
    conntrack: str
    reason: Reason | None
    egress: Judgement | None
    ingress: Judgement | None

    @property
    def is_icmp(self) -> bool:
        """Whether its ports are ICMP's type and code."""
        return self.protocol.startswith("ICMP")

    @property
    def is_reply(self) -> bool | None:
        """Whether it goes against the flow's first packet; None where nobody knows."""
        return self.conntrack == "reply" if self.conntrack else None


@define
class FlowReader:
    """Makes flows of rows, by a book of names that fills as they come.

    `offset` is what the kernel's clock lacks to ns since 1970, `trunks` their names by number.
    """

    _columns: Columns
    offset: int
    trunks: Mapping[int, str]
    names: Book = field(factory=dict)
    _parties: dict[tuple[bytes, int], Party] = field(factory=dict, init=False)
    _kinds: dict[int, tuple[str, ...]] = field(factory=dict, init=False)

    @classmethod
    def of(cls, layout: RowLayout, offset: int, trunks: Mapping[int, str]) -> FlowReader:
        """The reader for rows of a layout."""
        return cls(layout.columns(*_FIELDS), offset, trunks)

    def learn(self, names: Book) -> None:
        """Take names; those that were known otherwise are other ones from now on."""
        if names:
            self.names |= names
            self._parties.clear()

    def read(self, rows: bytes) -> Iterator[Flow]:
        """Each row as a flow."""
        for row in self._columns.each(rows):
            yield self._flow(row)

    def _flow(self, row: tuple[Any, ...]) -> Flow:
        time, cpu, kinds, verdict, saddr, daddr, sport, dport, proto, *rest = row
        src, dst, ifindex, length, rule, reason, trunk, direction, *rest = rest
        family, flags, conntrack, egress, ingress = rest
        dropped = verdict == DROP
        denied = None
        if dropped and reason in _DENIED:
            denied = self._by_rule(False, rule) if rule else self._by_none(direction, src, dst)
        return Flow(
            time + self.offset,
            cpu,
            self._kinds.get(kinds) or self._kind_names(kinds),
            VERDICT_NAMES.get(verdict, "UNKNOWN"),
            self._parties.get((saddr, src)) or self._party(saddr, src),
            self._parties.get((daddr, dst)) or self._party(daddr, dst),
            port(sport),
            port(dport),
            protocol_name(proto),
            self.trunks.get(trunk, ""),
            self.names.get((DEVICE, ifindex), ""),
            DIRECTIONS[direction & 1],
            family,
            length,
            flags,
            CONNTRACK[conntrack] if conntrack < len(CONNTRACK) else "",
            self._reason(reason) if dropped else None,
            self._judge(kinds & _EGRESS_VERDICT, egress, denied if not direction else None),
            self._judge(kinds & _INGRESS_VERDICT, ingress, denied if direction else None),
        )

    def _kind_names(self, kinds: int) -> tuple[str, ...]:
        names = tuple(name for bit, name in KIND_NAMES.items() if kinds & bit)
        self._kinds[kinds] = names
        return names

    def _party(self, address: bytes, identity: int) -> Party:
        text = str(unpack_address(address))
        known = self.names.get((PARTY, address.hex(), identity))
        if known is not None:
            namespace, name, node, number, labels, endpoint = known
            party = Party(text, identity or number, name, namespace, node, endpoint, tuple(labels))
        else:
            labels = self.names.get((IDENTITY, identity), ())
            if identity in RESERVED:
                labels = list(RESERVED[identity].labels)
            party = Party(text, identity, labels=tuple(labels))
        self._parties[address, identity] = party
        return party

    def _reason(self, number: int) -> Reason:
        return Reason(number, *self.names.get((REASON, number), (str(number), str(number), "")))

    def _judge(self, asked: int, granted: int, denied: Judgement | None) -> Judgement | None:
        if not asked:
            return None
        return denied or self._by_rule(True, granted)

    def _by_none(self, direction: int, src: int, dst: int) -> Judgement:
        """No rule allows it: that is the word of all policies that select the pod."""
        key = DENIAL, dst if direction else src, direction
        return Judgement(False, policies=tuple(self.names.get(key, ())))

    def _by_rule(self, allowed: bool, number: int) -> Judgement:
        if not number:
            return Judgement(allowed)
        known: Any = self.names.get((RULE, number))
        if known is None:
            return Judgement(allowed, f"rule {number}")
        policy, rule = known
        return Judgement(allowed, rule, (policy,) if policy else ())
