# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicy into the one form of policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.model.labels import NAMESPACE
from axoneme.model.policy import PROTOCOLS, CidrPeer, Policy, Ports, Rule, SelectorPeer
from axoneme.model.selector import Operator, Requirement, Selector
from axoneme.policy import _terms
from axoneme.policy._wire_kubernetes import NetworkPolicy
from axoneme.wire import LabelSelector, decode, network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.model.policy import Peer
    from axoneme.policy._wire_kubernetes import IPBlock, PolicyPeer, PolicyPort
    from axoneme.wire import Faults, Path

KIND = "NetworkPolicy"
API = "networking.k8s.io/v1"


def read_network_policy(document: dict[str, Any], faults: Faults) -> tuple[Policy, ...]:
    """Return the policy that a document says; what is wrong with it is in `faults`."""
    wire = decode(NetworkPolicy, document, faults)
    if wire is None:
        return ()
    namespace = wire.metadata.namespace or "default"
    _terms.check_names(wire.metadata.name, namespace, faults)
    reader = _Reader(namespace, faults)
    spec = wire.spec
    types = spec.policy_types or (("Ingress", "Egress") if spec.egress else ("Ingress",))
    ingress = [
        reader.rule("ingress", index, "from", rule.from_, rule.ports)
        for index, rule in enumerate(spec.ingress or ())
    ]
    egress = [
        reader.rule("egress", index, "to", rule.to, rule.ports)
        for index, rule in enumerate(spec.egress or ())
    ]
    # Rules of a direction that policyTypes leaves out say nothing.
    policy = Policy(
        name=wire.metadata.name,
        namespace=namespace,
        kind=KIND,
        subject=reader.pods(spec.pod_selector or LabelSelector(), ("spec", "podSelector")),
        ingress=tuple(ingress) if "Ingress" in types else (),
        egress=tuple(egress) if "Egress" in types else (),
        default_deny_ingress="Ingress" in types,
        default_deny_egress="Egress" in types,
    )
    return (policy,)


class _Reader:
    """Reads the parts of one policy."""

    def __init__(self, namespace: str, faults: Faults) -> None:
        self._own = Requirement(NAMESPACE, Operator.IN, [namespace])
        self._faults = faults

    def pods(self, selector: LabelSelector, path: Path) -> Selector:
        """Return the selector of pods in the policy's own namespace."""
        found = _terms.requirements(selector, _terms.pod_key, self._faults, path)
        return Selector([self._own, *found])

    def rule(
        self,
        section: str,
        index: int,
        side: str,
        peers: tuple[PolicyPeer, ...] | None,
        ports: tuple[PolicyPort, ...] | None,
    ) -> Rule:
        """Return one rule; without peers it is for anyone, without ports for all of them."""
        path: Path = ("spec", section, index)
        return Rule(
            peers=tuple(self._peers(peers, (*path, side))) if peers else None,
            ports=tuple(self._ports(ports, (*path, "ports"))) if ports else None,
            where=f"{section}[{index}]",
        )

    def _peers(self, peers: Iterable[PolicyPeer], path: Path) -> Iterable[Peer]:
        for index, peer in enumerate(peers):
            place = (*path, index)
            selectors = peer.pod_selector is not None or peer.namespace_selector is not None
            if peer.ip_block is None and not selectors:
                sentence = "needs podSelector, namespaceSelector or ipBlock"
                self._faults.add(place, sentence)
            elif peer.ip_block is None:
                yield SelectorPeer(self._endpoints(peer, place))
            else:
                if selectors:
                    self._faults.add(place, "ipBlock cannot stand beside a selector")
                yield from self._block(peer.ip_block, (*place, "ipBlock"))

    def _endpoints(self, peer: PolicyPeer, path: Path) -> Selector:
        pods = peer.pod_selector or LabelSelector()
        if peer.namespace_selector is None:
            return self.pods(pods, (*path, "podSelector"))
        place = (*path, "namespaceSelector")
        of_namespace = _terms.requirements(
            peer.namespace_selector, _terms.namespace_key, self._faults, place
        )
        of_pod = _terms.requirements(pods, _terms.pod_key, self._faults, (*path, "podSelector"))
        # Nobody but pods has a namespace, so that nothing but pods is selected.
        return Selector([Requirement(NAMESPACE, Operator.EXISTS), *of_namespace, *of_pod])

    def _block(self, block: IPBlock, path: Path) -> Iterable[CidrPeer]:
        cidr = network(block.cidr, self._faults, (*path, "cidr"))
        if cidr is not None:
            place = (*path, "except")
            holes = _terms.exceptions(cidr, block.except_ or (), self._faults, place)
            yield CidrPeer(cidr, holes, any_peer=True)

    def _ports(self, ports: Iterable[PolicyPort], path: Path) -> Iterable[Ports]:
        for index, port in enumerate(ports):
            place = (*path, index)
            proto = PROTOCOLS[port.protocol or "TCP"]
            if isinstance(port.port, str):
                if _terms.check_port_name(port.port, port.end_port, self._faults, place):
                    yield Ports(proto, name=port.port)
            elif port.port is not None:
                last = port.port if port.end_port is None else port.end_port
                if _terms.check_range(port.port, last, self._faults, place):
                    yield Ports(proto, port.port, last)
            elif port.end_port is not None:
                self._faults.add((*place, "endPort"), "needs port, with which the range begins")
            else:
                yield Ports(proto)
