# SPDX-License-Identifier: Apache-2.0
"""Which events a reader wants, in the words of people; chosen among packed rows."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from axoneme.datapath import EventFilter, EventKind, EventTerm
from axoneme.errors import AxonemeError, nearest
from axoneme.model.identity import Reserved
from axoneme.model.labels import RESERVED_SOURCE
from axoneme.observe.words import EVENT_KINDS, PROTOCOLS, VERDICTS, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from axoneme.observe.directory import Directory, Owner

#: Which sides are looked at, by what the name of a choice begins with.
_SIDES = {"": ("src", "dst"), "from_": ("src",), "to_": ("dst",)}
_BOTH = _SIDES[""]
_ADDRESSES = {"src": "packet.tuple.saddr", "dst": "packet.tuple.daddr"}
_PORTS = {"src": "packet.tuple.sport", "dst": "packet.tuple.dport"}
_MAPPED_BITS = 96
_HIGHEST_PORT = 65535
_TCP, _UDP, _SCTP = 6, 17, 132
#: No row is of no kind.
_NEVER = (EventTerm("kinds", b"\0"),)

#: The kinds that an event which is counted as of a type may be of.
_VERDICTS = EventKind.EGRESS_VERDICT | EventKind.INGRESS_VERDICT
_FLOWS = EventKind.OPENED | EventKind.CLOSED | EventKind.TRACE
_KINDS_OF = {
    "drop": EventKind.DROP | _VERDICTS,
    "policy-verdict": _VERDICTS | _FLOWS,
    "trace": _FLOWS,
}

Clause = tuple[EventTerm, ...]
Sides = tuple[str, ...]


@frozen
class Choice:
    """What is asked for: all that is given must hold, and of a tuple any one.

    Pods are meant by the beginning of their name, with the namespace before it or without;
    `related_to` by the whole name, or by the number of the endpoint. Without `from_` or `to_`
    either side will do.
    """

    pod: tuple[str, ...] = ()
    from_pod: tuple[str, ...] = ()
    to_pod: tuple[str, ...] = ()
    namespace: tuple[str, ...] = ()
    from_namespace: tuple[str, ...] = ()
    to_namespace: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    from_label: tuple[str, ...] = ()
    to_label: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    from_identity: tuple[str, ...] = ()
    to_identity: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()
    from_ip: tuple[str, ...] = ()
    to_ip: tuple[str, ...] = ()
    port: tuple[int, ...] = ()
    from_port: tuple[int, ...] = ()
    to_port: tuple[int, ...] = ()
    protocol: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    related_to: tuple[str, ...] = ()

    def of(self, name: str, *prefixes: str) -> tuple[Any, ...]:
        """What is said of the sides that the prefixes mean; of all without any."""
        return tuple(one for p in prefixes or _SIDES for one in getattr(self, p + name))


@define
class Chooser:
    """Chooses rows by what the directory says now, and says what is wrong with a choice.

    `reasons` are the numbers of drop reasons, by their names.
    """

    choice: Choice
    directory: Directory
    reasons: Callable[[], dict[str, int]]
    _filter: EventFilter = field(init=False)
    _version: int = field(init=False)
    _kinds: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._kinds = 0
        for name in self.choice.type:
            self._kinds |= one_of(EVENT_KINDS, name, "type of events")
        _known(self.choice, self.directory)
        self._compile()

    def choose(self, rows: bytes) -> bytes:
        """Those of these rows that are wanted."""
        if self._version != self.directory.version:
            self._compile()
        return self._filter.choose(rows)

    def wants(self, lost: str | None) -> bool:
        """Whether a lost event of a type may have been wanted; None is of any."""
        return lost is None or not self._kinds or bool(self._kinds & _KINDS_OF[lost])

    def _compile(self) -> None:
        self._version = self.directory.version
        self._filter = EventFilter(tuple(self._clauses()))

    def _clauses(self) -> Iterator[Clause]:
        for prefix, sides in _SIDES.items():
            yield from self._ends(prefix, sides)
        if self.choice.related_to:
            yield self._related()
        yield from self._packets()

    def _ends(self, prefix: str, sides: Sides) -> Iterator[Clause]:
        """What must hold of these sides."""
        choice = self.choice
        if names := choice.of("pod", prefix):
            yield self._owned(lambda owner: any(_begins(owner, name) for name in names), sides)
        if spaces := choice.of("namespace", prefix):
            yield self._owned(lambda owner: owner.namespace in spaces, sides)
        if labels := choice.of("label", prefix):
            yield self._owned(lambda owner: any(_has(owner, label) for label in labels), sides)
        if identities := choice.of("identity", prefix):
            yield self._identities(set(map(_identity, identities)), sides)
        if networks := choice.of("ip", prefix):
            yield tuple(term for text in networks for term in _network(text, sides))
        if ports := choice.of("port", prefix):
            yield tuple(EventTerm(_PORTS[s], _port(port)) for port in ports for s in sides)

    def _packets(self) -> Iterator[Clause]:
        choice = self.choice
        if choice.of("port"):
            yield tuple(_protocol(number) for number in (_TCP, _UDP, _SCTP))
        if choice.protocol:
            wanted = [_protocol_numbers(name) for name in choice.protocol]
            yield tuple(_protocol(number) for numbers in wanted for number in numbers)
        if choice.verdict:
            wanted = [one_of(VERDICTS, name, "verdict") for name in choice.verdict]
            yield tuple(EventTerm("verdict", bytes([n])) for numbers in wanted for n in numbers)
        if self._kinds:
            kinds = [bytes([kind]) for kind in _bits(self._kinds)]
            yield tuple(EventTerm("kinds", kind, kind) for kind in kinds)
        if choice.reason:
            reasons = self.reasons()
            numbers = [one_of(reasons, name, "drop reason") for name in choice.reason]
            yield tuple(EventTerm("packet.reason", _native(n, 2)) for n in numbers)
            yield (EventTerm("verdict", b"\2"),)

    def _owned(self, wanted: Callable[[Owner], bool], sides: Sides = _BOTH) -> Clause:
        """A side of the packet is of such an owner."""
        found = {address for address, owner in self.directory.owners() if wanted(owner)}
        return tuple(EventTerm(_ADDRESSES[s], a) for s in sides for a in found) or _NEVER

    def _identities(self, numbers: set[int], sides: Sides) -> Clause:
        fields = [f"packet.{side}_identity" for side in sides]
        terms = tuple(EventTerm(f, _native(n, 4)) for f in fields for n in numbers)
        # A packet that was dropped early has no identities yet.
        owned = self._owned(lambda owner: owner.identity in numbers, sides)
        return terms if owned is _NEVER else terms + owned

    def _related(self) -> Clause:
        names = set(self.choice.related_to)
        numbers = {int(name) for name in names if name.isdigit()}
        fields = [f"packet.{side}_endpoint" for side in _BOTH]
        terms = tuple(EventTerm(f, _native(n, 4)) for f in fields for n in numbers)
        owned = self._owned(
            lambda o: (
                bool(o.namespace) and (str(o) in names or o.name in names or o.endpoint in numbers)
            )
        )
        return terms if owned is _NEVER else terms + owned


def _known(choice: Choice, directory: Directory) -> None:
    """Raise AxonemeError for what nothing here is called: it would be waited for in vain."""
    owners = [owner for _, owner in directory.owners() if owner.namespace]
    pods = {str(owner) for owner in owners}
    for name in choice.of("pod"):
        if not any(_begins(owner, name) for owner in owners):
            raise AxonemeError(f"no pod's name begins with {name}{_hint(name, pods)}")
    for name in choice.related_to:
        if not name.isdigit() and not any(name in (str(o), o.name) for o in owners):
            raise AxonemeError(f"there is no pod {name}{_hint(name, pods)}")
    for name in choice.of("namespace"):
        spaces = {owner.namespace for owner in owners}
        if name not in spaces:
            raise AxonemeError(f"no pod is in a namespace {name}{_hint(name, spaces)}")
    for text in choice.of("label"):
        if not any(_has(owner, text) for owner in owners):
            labels = {f"{k.partition(':')[2]}={v}" for o in owners for k, v in o.labels.items()}
            raise AxonemeError(f"no pod has the label {text}{_hint(text, labels)}")


def _hint(name: str, names: Iterable[str]) -> str:
    listed = sorted(names)
    near = nearest(name, listed)
    if near is None:  # perhaps the namespace was left out
        short = {one.rpartition("/")[2]: one for one in listed}
        near = short.get(nearest(name, short) or "")
    return f"; did you mean {near}?" if near else ""


def _begins(owner: Owner, name: str) -> bool:
    text = str(owner) if "/" in name else owner.name
    return bool(owner.namespace) and text.startswith(name)


def _has(owner: Owner, text: str) -> bool:
    key, equals, value = text.partition("=")
    if ":" not in key:
        key = f"any:{key}"
    return key in owner.labels and (not equals or owner.labels[key] == value)


def _identity(text: str) -> int:
    if text.isdigit():
        return int(text)
    names = {number.word: number for number in Reserved}
    return int(one_of(names, text.removeprefix(f"{RESERVED_SOURCE}:"), "identity"))


def _network(text: str, sides: Sides) -> Iterator[EventTerm]:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise AxonemeError(f"{text!r} is no address and no network") from None
    length, value = network.prefixlen, network.network_address.packed
    if network.version == 4:
        length, value = length + _MAPPED_BITS, bytes(10) + b"\xff\xff" + value
    mask = ((1 << length) - 1 << 128 - length).to_bytes(16)
    for side in sides:
        yield EventTerm(_ADDRESSES[side], value, mask)


def _port(number: int) -> bytes:
    if not 0 <= number <= _HIGHEST_PORT:
        raise AxonemeError(f"a port is 0 to {_HIGHEST_PORT}, not {number}")
    return number.to_bytes(2)


def _protocol_numbers(name: str) -> tuple[int, ...]:
    """The numbers that a name means; a protocol without a name is shown, and meant, by its own."""
    if name.isdigit() and int(name) < 1 << 8:
        return (int(name),)
    return one_of(PROTOCOLS, name, "protocol")


def _protocol(number: int) -> EventTerm:
    return EventTerm("packet.tuple.proto", bytes([number]))


def _native(number: int, size: int) -> bytes:
    if not 0 <= number < 1 << 8 * size:
        raise AxonemeError(f"{number} is no such number")
    return number.to_bytes(size, "little")


def _bits(kinds: int) -> Iterator[int]:
    return (int(kind) for kind in EventKind if kinds & kind)


def parse_choice(arguments: dict[str, Any]) -> Choice:
    """A choice from what came over a socket.

    Raises:
        AxonemeError: there is nothing of such a name to choose by.
    """
    known = [one.name for one in Choice.__attrs_attrs__]
    for name in arguments:
        if name not in known:
            raise AxonemeError(f"events are not chosen by {name}{_hint(name, known)}")
    return Choice(**{name: tuple(values) for name, values in arguments.items()})
