# SPDX-License-Identifier: Apache-2.0
"""Programs that a packet met, told: who answered what, what was looked up, by which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import asdict, define

from axoneme.agent.names import LiveNames
from axoneme.datapath import Verdict
from axoneme.errors import PluginError
from axoneme.model.identity import Reserved
from axoneme.model.policy import Direction

from .rows import MapWords
from .written import Written

if TYPE_CHECKING:
    from axoneme.agent.cluster import Cluster
    from axoneme.datapath import Step

    from .legs import Leg

_POLICY = "policy"
_GOOD = (Verdict.NEXT, Verdict.PASS, Verdict.REDIRECT)
#: AXN_REASON_INVALID_VERDICT, which the trunk gives a packet when a lane returns no verdict.
_INVALID_VERDICT = 256
#: AXN_EGRESS_ASKED and AXN_INGRESS_ASKED: a policy was asked.
_ASKED = {Direction.EGRESS: 1 << 7, Direction.INGRESS: 1 << 8}
_CONNTRACK = ("", "a new flow", "a flow that is known", "a reply", "an error about a known flow")


@define
class Teller:
    """Tells of this node's programs."""

    cluster: Cluster
    names: LiveNames
    written: Written
    maps: MapWords

    @classmethod
    def of(cls, cluster: Cluster) -> Teller:
        """Return one who reads what the cluster knows at this moment."""
        names = LiveNames(cluster)
        return cls(cluster, names, Written(names), MapWords(cluster, names))

    def leg(self, leg: Leg) -> dict[str, Any]:
        """Tell of one program."""
        door = leg.door
        told: dict[str, Any] = {
            "node": self.cluster.name,
            "trunk": door.trunk,
            "device": door.device,
            "verdict": leg.verdict.name.lower(),
            "nanoseconds": sum(step.nanoseconds for step in leg.steps),
            "steps": [self._step(step) for step in leg.steps],
            "refusal": None,
        }
        if leg.verdict is Verdict.DROP:
            told["refusal"] = self._refusal(leg)
        return told

    def _step(self, step: Step) -> dict[str, Any]:
        plugin = self._plugin(step)
        told: dict[str, Any] = {
            "trunk": step.trunk,
            "stage": step.stage,
            "lane": step.lane,
            "plugin": plugin,
            "verdict": _verdict(step),
            "direction": Direction(step.direction).name.lower(),
            "nanoseconds": step.nanoseconds,
            "lookups": self._lookups(step, plugin),
            "reason": None,
            "rule": None,
            "policies": [],
            "words": "",
        }
        if step.verdict not in _GOOD:
            number = step.reason if step.verdict == Verdict.DROP else _INVALID_VERDICT
            reason = asdict(self.names.reason(number))
            told |= {"reason": reason, "words": reason["text"]}
        if step.stage == _POLICY:
            told |= self._by_policy(step)
        elif step.stage == "track":
            told["words"] = told["words"] or _CONNTRACK[step.packet["conntrack"]]
        return told

    def _plugin(self, step: Step) -> str:
        lanes = self.cluster.engine.datapath.assembly.lanes.get(step.stage, ())
        return lanes[step.lane] if step.lane < len(lanes) else ""

    def _lookups(self, step: Step, plugin: str) -> list[dict[str, str]]:
        engine = self.cluster.engine
        try:
            found = engine.host.call("axoneme_explain", plugin, step=step, datapath=engine.datapath)
        except PluginError:
            return []  # what is wrong with it is in status
        return [self.maps.lookup(one) for one in found or ()]

    def _by_policy(self, step: Step) -> dict[str, Any]:
        """Which rule decided, or which policies did by having none that allows it."""
        direction = Direction(step.direction)
        if not step.packet["flags"] & _ASKED[direction]:
            return {}
        way = "into" if direction is Direction.INGRESS else "out of"
        dropped = step.verdict == Verdict.DROP
        if step.rule:
            rule = self.written.rule(step.rule)
            words = f"{'denied' if dropped else 'allowed'} by {self.names.rule(step.rule)}"
            return {"rule": rule, "policies": [rule] if rule else [], "words": words}
        restricting = self.written.restricting(_subject(step), direction)
        if dropped:
            titles = ", ".join(one["policy"] for one in restricting)
            words = f"nothing in {titles} allows it" if titles else "its rule set is not there"
            return {"policies": restricting, "words": f"{words} {way} the pod"}
        if not restricting:
            return {"words": f"no policy restricts what gets {way} the pod"}
        return {"words": f"its rule set lets all pass {way} the pod"}

    def _refusal(self, leg: Leg) -> dict[str, Any]:
        """By whom a packet was dropped, and why."""
        last = leg.steps[-1] if leg.steps else None
        if last is not None and last.verdict != Verdict.NEXT:
            told = self._step(last)
            keys = ("plugin", "stage", "direction", "reason", "rule", "policies", "words")
            return {"node": self.cluster.name} | {key: told[key] for key in keys}
        return {
            "node": self.cluster.name,
            "plugin": "core",
            "stage": "",
            "direction": "",
            "reason": asdict(self.names.reason(last.reason if last else 0)),
            "rule": None,
            "policies": [],
            "words": "the trunk drops it itself, before or behind all stages",
        }


def _subject(step: Step) -> int:
    """The identity of the pod whose policy is asked."""
    side = "dst_identity" if step.direction == Direction.INGRESS else "src_identity"
    return int(step.packet[side]) or Reserved.INIT


def _verdict(step: Step) -> str:
    if isinstance(step.verdict, Verdict):
        return step.verdict.name.lower()
    return f"{step.verdict}, which is no verdict"
