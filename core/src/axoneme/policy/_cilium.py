# SPDX-License-Identifier: Apache-2.0
"""CiliumNetworkPolicy into the one form of policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from axoneme.errors import nearest
from axoneme.model.labels import NAMESPACE, Labels
from axoneme.model.policy import CidrPeer, Entity, EntityPeer, Policy, Rule, SelectorPeer
from axoneme.policy import _cilium_keys, _cilium_ports, _terms
from axoneme.policy._wire_cilium import (
    CiliumNetworkPolicy,
    DefaultDeny,
    EgressDenyRule,
    EgressRule,
    IngressDenyRule,
    IngressRule,
)
from axoneme.wire import decode, network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from axoneme.model.policy import Peer
    from axoneme.model.selector import Selector
    from axoneme.policy._wire_cilium import CIDRRule, RuleSpec
    from axoneme.wire import Faults, LabelSelector, Path

KIND = "CiliumNetworkPolicy"
API = "cilium.io/v2"

_WireRule: TypeAlias = IngressRule | IngressDenyRule | EgressRule | EgressDenyRule
_ENTITIES: Final = {entity.value: entity for entity in Entity}
_LATER_ENTITIES: Final = frozenset({"cluster-mesh"})


def read_cilium_network_policy(document: dict[str, Any], faults: Faults) -> tuple[Policy, ...]:
    """Return a policy for each spec of a document; what is wrong with it is in `faults`."""
    wire = decode(CiliumNetworkPolicy, document, faults)
    if wire is None:
        return ()
    namespace = wire.metadata.namespace or "default"
    _terms.check_names(wire.metadata.name, namespace, faults)
    if wire.spec is None and not wire.specs:
        faults.add((), "needs spec or specs")
    found = []
    if wire.spec is not None:
        found.append(
            _Reader(namespace, faults, ("spec",), "").policy(wire.metadata.name, wire.spec)
        )
    for index, spec in enumerate(wire.specs or ()):
        reader = _Reader(namespace, faults, ("specs", index), f"specs[{index}].")
        found.append(reader.policy(wire.metadata.name, spec))
    return tuple(found)


class _Reader:
    """Reads one spec."""

    def __init__(self, namespace: str, faults: Faults, path: Path, prefix: str) -> None:
        self._namespace = namespace
        self._faults = faults
        self._path = path
        self._prefix = prefix

    def policy(self, name: str, spec: RuleSpec) -> Policy:
        """Return the policy of the spec."""
        enabled = spec.enable_default_deny or DefaultDeny()
        ingress = [*self._rules("ingress", spec.ingress)]
        ingress += self._rules("ingressDeny", spec.ingress_deny, deny=True)
        egress = [*self._rules("egress", spec.egress)]
        egress += self._rules("egressDeny", spec.egress_deny, deny=True)
        if not (ingress or egress or spec.enable_default_deny):
            sentence = "needs at least one rule in ingress, ingressDeny, egress or egressDeny"
            self._faults.add(self._path, sentence)
        return Policy(
            name=name,
            namespace=self._namespace,
            kind=KIND,
            subject=self._subject(spec.endpoint_selector),
            ingress=tuple(ingress),
            egress=tuple(egress),
            default_deny_ingress=bool(ingress) if enabled.ingress is None else enabled.ingress,
            default_deny_egress=bool(egress) if enabled.egress is None else enabled.egress,
        )

    def _subject(self, wire: LabelSelector) -> Selector:
        path = (*self._path, "endpointSelector")
        requirements = [*_terms.requirements(wire, _cilium_keys.label_key, self._faults, path)]
        here = Labels.of({NAMESPACE: self._namespace})
        for requirement in requirements:
            if _cilium_keys.is_reserved(requirement):
                self._faults.add(path, f"{requirement} is no pod: only pods are selected")
            elif requirement.key == NAMESPACE and not requirement.matches(here):
                sentence = f"selects nothing outside the policy's namespace {self._namespace}"
                self._faults.add(path, sentence)
        return _cilium_keys.in_namespace(requirements, self._namespace)

    def _rules(
        self, section: str, rules: Sequence[_WireRule] | None, *, deny: bool = False
    ) -> Iterator[Rule]:
        for index, rule in enumerate(rules or ()):
            path = (*self._path, section, index)
            ports = _cilium_ports.read_ports(rule.to_ports or (), self._faults, (*path, "toPorts"))
            peers = self._peers(rule, path)
            if peers is None and ports is None:
                peers = ()  # a rule that says nothing allows nothing
            yield Rule(peers, ports, deny, f"{self._prefix}{section}[{index}]")

    def _peers(self, rule: _WireRule, path: Path) -> tuple[Peer, ...] | None:
        """Return the peers of a rule: None when it says nothing about them, so that all count."""
        if isinstance(rule, (IngressRule, IngressDenyRule)):
            side, given = (
                "from",
                (rule.from_endpoints, rule.from_entities, rule.from_cidr, rule.from_cidr_set),
            )
        else:
            side, given = (
                "to",
                (rule.to_endpoints, rule.to_entities, rule.to_cidr, rule.to_cidr_set),
            )
        endpoints, entities, cidrs, cidr_sets = given
        names = [side + name for name in ("Endpoints", "Entities", "CIDR", "CIDRSet")]
        used = [name for name, value in zip(names, given, strict=True) if value]
        if len(used) > 1:
            sentence = f"{' and '.join(used)} cannot stand in one rule: write a rule for each"
            self._faults.add(path, sentence)
        if all(value is None for value in given):
            return None
        at = [(*path, name) for name in names]
        return (
            *self._endpoints(endpoints or (), at[0]),
            *self._entities(entities or (), at[1]),
            *self._cidrs(cidrs or (), at[2]),
            *self._cidr_sets(cidr_sets or (), at[3]),
        )

    def _endpoints(self, selectors: Iterable[LabelSelector], path: Path) -> Iterator[Peer]:
        for index, wire in enumerate(selectors):
            place = (*path, index)
            found = _terms.requirements(wire, _cilium_keys.label_key, self._faults, place)
            yield SelectorPeer(_cilium_keys.scoped([*found], self._namespace))

    def _entities(self, names: Iterable[str], path: Path) -> Iterator[Peer]:
        for index, name in enumerate(names):
            place = (*path, index)
            if name in _ENTITIES:
                yield EntityPeer(_ENTITIES[name])
            elif name in _LATER_ENTITIES:
                self._faults.add(place, f"{name} is not supported yet")
            else:
                self._faults.add(place, f"{name!r} is no entity", nearest(name, _ENTITIES))

    def _cidrs(self, texts: Iterable[str], path: Path) -> Iterator[Peer]:
        for index, text in enumerate(texts):
            cidr = network(text, self._faults, (*path, index))
            if cidr is not None:
                yield CidrPeer(cidr)

    def _cidr_sets(self, rules: Iterable[CIDRRule], path: Path) -> Iterator[Peer]:
        for index, rule in enumerate(rules):
            place = (*path, index)
            cidr = network(rule.cidr, self._faults, (*place, "cidr"))
            if cidr is not None:
                holes = _terms.exceptions(
                    cidr, rule.except_ or (), self._faults, (*place, "except")
                )
                yield CidrPeer(cidr, holes)
