# SPDX-License-Identifier: Apache-2.0
"""Where rules and policies are written: file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from axoneme.agent.names import LiveNames
    from axoneme.model import Direction, Policy


@frozen
class Written:
    """The rules and policies of the manifests, as this node names them."""

    names: LiveNames

    def rule(self, number: int) -> dict[str, str] | None:
        """A rule of a policy and its line; None for one that no policy wrote."""
        name = self.names.rule_name(number)
        if name is None or not name.policy:
            return None
        rules = (
            rule
            for policy in self._policies(name.policy)
            for rule in (*policy.ingress, *policy.egress)
            if rule.where == name.rule
        )
        place = next((rule.place for rule in rules), "")
        return {"rule": str(name), "policy": name.policy, "place": place}

    def restricting(self, identity: int, direction: Direction) -> list[dict[str, str]]:
        """The policies that let nothing pass but what their rules allow, and their lines."""
        titles = self.names.restricting(identity, direction)
        return [{"policy": title, "place": self._place(title)} for title in titles]

    def _policies(self, title: str) -> list[Policy]:
        manifests = self.names.cluster.manifests
        return [policy for policy in manifests.policies if policy.title == title]

    def _place(self, title: str) -> str:
        return next((policy.place for policy in self._policies(title)), "")
