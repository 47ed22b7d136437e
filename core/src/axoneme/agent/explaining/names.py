# SPDX-License-Identifier: Apache-2.0
"""Numbers of the maps in people's words: identities, rules and where they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from axoneme.model.identity import FIRST_OF_CIDRS, RESERVED, Reserved
from axoneme.model.labels import K8S, NAMESPACE
from axoneme.model.policy import PROTOCOLS

if TYPE_CHECKING:
    from axoneme.agent.cluster import Cluster
    from axoneme.model import Direction, Labels, Policy

#: AXN_RULE_HOST: a pod's own node may always reach it.
RULE_HOST = 1
_PROTOCOLS = {number: name for name, number in PROTOCOLS.items()} | {1: "ICMP", 58: "ICMPv6"}
_NOT_OWN = f"{K8S}:io."


@frozen
class Names:
    """What the cluster calls things."""

    cluster: Cluster

    def identity(self, number: int) -> str:
        """Who has an identity."""
        if not number:
            return "anyone"
        if number in RESERVED:
            return Reserved(number).label.partition(":")[2]
        if number >= FIRST_OF_CIDRS:
            network = self.cluster.policies.resolver.cidr_numbers.thing(number)
            return f"network {network}" if network else f"network {number}"
        for record in self.cluster.endpoints.values():
            if record.identity == number:
                return f"identity {number} ({short(record.labels)})"
        return f"identity {number}"

    def endpoint(self, number: int) -> str:
        """The pod of an endpoint of this node."""
        found = self.cluster.engine.datapath.endpoints.get(number)
        return str(found) if found else f"endpoint {number}"

    def device(self, ifindex: int) -> str:
        """The name of a device of this node, where it is one that we attach to."""
        datapath = self.cluster.engine.datapath
        pods = (e.ifname for e in datapath.endpoints.values() if e.ifindex == ifindex)
        others = (d.name for d in (*datapath.uplinks, *datapath.overlays) if d.ifindex == ifindex)
        return next(pods, None) or next(others, f"device {ifindex}")

    def rule(self, number: int) -> dict[str, str] | None:
        """A rule of a policy, and the line where it is written."""
        name = self.cluster.policies.resolver.rule_numbers.name(number)
        if name is None:
            return None
        title, _, where = name.rpartition(" ")
        rules = (
            rule
            for policy in self._policies(title)
            for rule in (*policy.ingress, *policy.egress)
            if rule.where == where
        )
        place = next((rule.place for rule in rules), "")
        return {"rule": name, "policy": title, "place": place}

    def restricting(self, identity: int, direction: Direction) -> list[dict[str, str]]:
        """The policies that let nothing pass but what their rules allow, and their lines."""
        rule_set = self.cluster.policies.resolver.rule_sets.get(identity or Reserved.INIT)
        titles = rule_set.selected_by(direction) if rule_set else ()
        return [{"policy": title, "place": self._place(title)} for title in titles]

    def _policies(self, title: str) -> list[Policy]:
        return [policy for policy in self.cluster.manifests.policies if policy.title == title]

    def _place(self, title: str) -> str:
        return next((policy.place for policy in self._policies(title)), "")

    def reason(self, number: int) -> dict[str, Any]:
        """Why a packet was dropped."""
        reason = self.cluster.engine.datapath.reasons.all().get(number)
        if reason is None:
            return {"number": number, "name": "", "text": f"reason {number}", "owner": ""}
        text = {"name": reason.name, "text": reason.text, "owner": reason.owner}
        return {"number": number, **text}


def short(labels: Labels) -> str:
    """The labels that a pod's author wrote, and its namespace."""
    own = [
        f"{key.partition(':')[2]}={value}"
        for key, value in labels.items()
        if not key.startswith(_NOT_OWN)
    ]
    words = [",".join(own) or "no labels"]
    if NAMESPACE in labels:
        words.append(f"in {labels[NAMESPACE]}")
    return " ".join(words)


def protocol(number: int) -> str:
    """The name of a protocol."""
    return _PROTOCOLS.get(number, f"protocol {number}")
