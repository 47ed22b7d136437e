# SPDX-License-Identifier: Apache-2.0
"""The question and its answer: a packet is followed from node to node by their agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from axoneme.agent.names import LiveNames
from axoneme.errors import AxonemeError
from axoneme.model.labels import short_labels
from axoneme.model.policy import protocol_name

from .advice import advise
from .ends import Ends
from .follower import Follower
from .parcels import Entrance, Outcome, Parcel, Passage
from .telling import Teller

if TYPE_CHECKING:
    from axoneme.agent.cluster import Cluster
    from axoneme.model import Address

    from .ends import End, Question
    from .peers import Peers

_MOST_NODES = 4
_ALLOWED = frozenset({Outcome.DELIVERED, Outcome.HOST, Outcome.OUTSIDE})
_NEW_FLOW = (
    "This is the first packet of a new flow. One that conntrack knows keeps its verdict until a "
    "policy changes, and replies of a flow that may pass always pass."
)


@frozen
class Explainer:
    """Answers for one node, which asks the others on the way."""

    cluster: Cluster
    peers: Peers

    async def explain(
        self, source: str, target: str, version: int = 0, protocol: str = ""
    ) -> dict[str, Any]:
        """Say what becomes of the first packet of a flow, as JSON takes it.

        source: a pod as namespace/name or name, `host`, a node, `world` or an address. target: the
        same with :PORT or :PORT/PROTOCOL, but for the protocol icmp. version: 4, 6 or 0 for any.

        Raises:
            AxonemeError: there is no such end or packet.
        """
        ends = self._ends()
        question = ends.question(source, target, version=version, protocol=protocol)
        where, parcel = _begin(question)
        legs, passage = await self._journey(ends, where, parcel)
        allowed = passage.outcome in _ALLOWED
        refusal = next((leg["refusal"] for leg in legs if leg["refusal"]), None)
        return {
            "source": _end(question.source, question.flow.source),
            "target": _end(question.target, question.flow.target),
            "protocol": protocol_name(question.flow.protocol),
            "port": question.flow.port,
            "verdict": "allowed" if allowed else "dropped" if refusal else "lost",
            "outcome": str(passage.outcome),
            "words": passage.words,
            "legs": legs,
            "refusal": refusal,
            "advice": advise(self.cluster, question, refusal),
            "note": _NEW_FLOW,
        }

    def follow(self, parcel: dict[str, Any]) -> dict[str, Any]:
        """Say what becomes of a parcel on this node: what other nodes' agents ask."""
        return self._follow(self._ends(), Parcel.load(parcel)).dump()

    def _ends(self) -> Ends:
        names = LiveNames(self.cluster)
        return Ends(self.cluster.endpoints, self.cluster.nodes, names.directory)

    def _follow(self, ends: Ends, parcel: Parcel) -> Passage:
        passage, legs = Follower(self.cluster, ends).follow(parcel)
        teller = Teller.of(self.cluster)
        return evolve(passage, legs=[teller.leg(leg) for leg in legs])

    async def _journey(
        self, ends: Ends, where: str, parcel: Parcel | None
    ) -> tuple[list[dict[str, Any]], Passage]:
        legs: list[dict[str, Any]] = []
        passage = Passage(Outcome.LOST, "it goes from node to node without end")
        for _ in range(_MOST_NODES):
            if parcel is None:
                break
            try:
                passage = await self._at(ends, where, parcel)
            except AxonemeError as error:
                return legs, Passage(Outcome.LOST, str(error))
            legs += passage.legs
            where, parcel = passage.node, passage.parcel
        return legs, passage

    async def _at(self, ends: Ends, where: str, parcel: Parcel) -> Passage:
        if where == self.cluster.name:
            return self._follow(ends, parcel)
        node = ends.node(where)
        if node is None:
            raise AxonemeError(f"node {where} is not known here")
        return Passage.load(await self.peers.follow(node, parcel.dump()))


def _begin(question: Question) -> tuple[str, Parcel]:
    """Where the packet begins: at the pod or host that sends it, or where it comes in."""
    source, packet = question.source, question.flow.packet()
    if source.pod is not None:
        return source.node, Parcel(Entrance.POD, packet, pod=source.name)
    if source.node:
        return source.node, Parcel(Entrance.HOST, packet)
    if not question.target.node:
        raise AxonemeError(f"neither {source.name} nor {question.target.name} is of this cluster")
    return question.target.node, Parcel(Entrance.UPLINK, packet)


def _end(end: End, address: Address) -> dict[str, Any]:
    pod = end.pod
    return {
        "name": end.name,
        "address": str(address),
        "node": end.node,
        "identity": pod.identity if pod else 0,
        "labels": short_labels(pod.labels) if pod else "",
    }
