# SPDX-License-Identifier: Apache-2.0
"""Single changes of the world that may let a flow pass, each with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, frozen

from axoneme.model.labels import (
    ANY_SOURCE,
    K8S,
    NAMESPACE,
    NAMESPACE_LABEL,
    RESERVED_SOURCE,
    SERVICE_ACCOUNT,
    Labels,
)
from axoneme.model.policy import CidrPeer, NamedPort, SelectorPeer, protocol_name
from axoneme.model.selector import Operator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axoneme.model.address import Address
    from axoneme.model.policy import Direction, Policy, Ports, Rule
    from axoneme.model.selector import Requirement
    from axoneme.policy.reference import Party
    from axoneme.policy.scenes import Actor, Scene

World: TypeAlias = "tuple[tuple[Policy, ...], Scene]"
_SOME_VALUE = "yes"


@frozen
class Edit:
    """What would have to be so, in words that follow "if", and the world in which it is."""

    words: str
    change: Callable[[World], World]


def edits_of_peer(rule: Rule, scene: Scene, direction: Direction) -> Iterator[tuple[Edit, ...]]:
    """What would make the peer one of a rule's, together."""
    actor = scene.peer(direction)
    for wanted in rule.peers or ():
        if isinstance(wanted, CidrPeer):
            yield from _to_network(wanted, actor, direction)
        elif isinstance(wanted, SelectorPeer) and _is_pod(actor.party):
            labels = actor.party.known_labels
            unmet = [r for r in wanted.selector.requirements if not r.matches(labels)]
            edits = [_meet(requirement, actor, direction) for requirement in unmet]
            if edits and None not in edits:
                yield tuple(edit for edit in edits if edit is not None)


def edits_of_port(rule: Rule, scene: Scene) -> Iterator[Edit]:
    """What would make the port one of a rule's."""
    for wanted in rule.ports or ():
        if wanted.name:
            yield _to_named(wanted, scene)
        else:
            port = min(max(scene.port, wanted.first, 1), wanted.last)
            yield _to_port(wanted.proto, port, scene, _range(wanted))


def edits_of_denial(rule: Rule, scene: Scene, direction: Direction, name: str) -> Iterator[Edit]:
    """What would make a rule that denies deny no more."""
    actor = scene.peer(direction)
    for wanted in rule.peers or ():
        if isinstance(wanted, SelectorPeer) and wanted.matches(actor.party.known_labels):
            for requirement in wanted.selector.requirements:
                if requirement.operator in (Operator.IN, Operator.EXISTS):
                    edit = _without(requirement.key, actor, direction)
                    if edit is not None:
                        yield edit
    yield Edit(f"{name} were not there", lambda world: (_less(world[0], rule), world[1]))


def _less(policies: tuple[Policy, ...], rule: Rule) -> tuple[Policy, ...]:
    return tuple(
        evolve(
            policy,
            ingress=tuple(r for r in policy.ingress if r is not rule),
            egress=tuple(r for r in policy.egress if r is not rule),
        )
        for policy in policies
    )


# Labels


def _is_pod(party: Party) -> bool:
    return party.labels is not None and NAMESPACE in party.labels


def _meet(requirement: Requirement, actor: Actor, direction: Direction) -> Edit | None:
    """What makes a label as it is required; None for one that nobody can be given."""
    key = requirement.key
    if key.startswith(f"{RESERVED_SOURCE}:"):
        return None
    if requirement.operator in (Operator.NOT_IN, Operator.DOES_NOT_EXIST):
        return _without(key, actor, direction)
    values = sorted(requirement.values) or [""]
    words = _has(key, values, actor.name)
    return _relabel(words, direction, lambda labels: labels | {_own(key): values[0] or _SOME_VALUE})


def _without(key: str, actor: Actor, direction: Direction) -> Edit | None:
    if key.startswith(f"{RESERVED_SOURCE}:") or key in (NAMESPACE, SERVICE_ACCOUNT):
        return None
    name = key.removeprefix(NAMESPACE_LABEL) if _is_namespaces(key) else key.partition(":")[2]
    whose = f"the namespace of {actor.name}" if _is_namespaces(key) else actor.name
    words = f"{whose} did not have the label {name}"
    gone = {key, _own(key)}
    return _relabel(
        words, direction, lambda labels: {k: v for k, v in labels.items() if k not in gone}
    )


def _relabel(
    words: str, direction: Direction, change: Callable[[dict[str, str]], dict[str, str]]
) -> Edit:
    def apply(world: World) -> World:
        policies, scene = world
        party = scene.peer(direction).party
        labels = Labels(change(dict(party.known_labels)))
        return policies, scene.with_peer(direction, evolve(party, labels=labels))

    return Edit(words, apply)


def _has(key: str, values: list[str], name: str) -> str:
    if key == NAMESPACE:
        return f"{name} were in the namespace {' or '.join(values)}"
    if key == SERVICE_ACCOUNT:
        return f"{name} had the service account {' or '.join(values)}"
    whose = f"the namespace of {name}" if _is_namespaces(key) else name
    own = key.removeprefix(NAMESPACE_LABEL) if _is_namespaces(key) else key.partition(":")[2]
    texts = [f"{own}={value}" if value else own for value in values]
    return f"{whose} had the label {' or '.join(texts)}"


def _is_namespaces(key: str) -> bool:
    return key.startswith(NAMESPACE_LABEL)


def _own(key: str) -> str:
    """The key of a label that a selector's key finds."""
    source, _, name = key.partition(":")
    return f"{K8S}:{name}" if source == ANY_SOURCE else key


# Networks


def _to_network(wanted: CidrPeer, actor: Actor, direction: Direction) -> Iterator[tuple[Edit, ...]]:
    party = actor.party
    if _is_pod(party) or not (party.is_outside or wanted.any_peer):
        return  # a pod does not choose its address
    if party.address is None or party.address.version != wanted.cidr.version:
        return
    address = _address_in(wanted)
    if address is None:
        return
    holes = ", ".join(map(str, wanted.excepts))
    words = f"{actor.name} had an address in {wanted.cidr}" + (
        f" and not in {holes}" if holes else ""
    )

    def apply(world: World) -> World:
        policies, scene = world
        party = evolve(scene.peer(direction).party, address=address)
        return policies, scene.with_peer(direction, party)

    yield (Edit(words, apply),)


def _address_in(wanted: CidrPeer) -> Address | None:
    """An address that is in a network and in none of its exceptions."""
    first, last = map(int, (wanted.cidr.network_address, wanted.cidr.broadcast_address))
    tried = [first, last]
    for hole in wanted.excepts:
        tried += [int(hole.broadcast_address) + 1, int(hole.network_address) - 1]
    kind = type(wanted.cidr.network_address)
    addresses = (kind(number) for number in tried if first <= number <= last)
    return next((address for address in addresses if wanted.holds(address)), None)


# Ports


def _to_port(proto: int, port: int, scene: Scene, more: str = "") -> Edit:
    name = f"{protocol_name(proto)} " if proto != scene.proto else ""
    words = f"it went to {name}port {port}{more}"
    return Edit(words, lambda world: (world[0], evolve(world[1], proto=proto, port=port)))


def _range(wanted: Ports) -> str:
    if wanted.first == wanted.last or (wanted.first <= 1 and wanted.last == (1 << 16) - 1):
        return ""
    return f", one of {wanted.first} to {wanted.last}"


def _to_named(wanted: Ports, scene: Scene) -> Edit:
    """To the port that the pod calls so, or the pod calls this one so."""
    target = scene.target
    for one in target.party.ports:
        if (one.name, one.proto) == (wanted.name, wanted.proto):
            return _to_port(one.proto, one.port, scene, f", which {target.name} calls {one.name}")
    named = NamedPort(wanted.name, wanted.proto, scene.port)

    def apply(world: World) -> World:
        policies, now = world
        party = evolve(now.target.party, ports=now.target.party.ports | {named})
        return policies, evolve(now, target=evolve(now.target, party=party))

    return Edit(f"{target.name} called port {scene.port} {wanted.name}", apply)
