# SPDX-License-Identifier: Apache-2.0
"""What connection tracking shall do, said a second time, in words and without bits.

A flow has a first side. It is open when the first side has spoken again after the other answered,
closed when both sides have sent FIN or one has sent RST, and known for as long as its state allows
after its last packet.
"""

from __future__ import annotations

from typing import Literal

from attrs import define, field, frozen

Place = Literal["new", "established", "reply"]
Side = Literal["one", "two"]
_OTHER: dict[Side, Side] = {"one": "two", "two": "one"}


@frozen
class Timeouts:
    """Seconds that a flow lasts."""

    open: float
    opening: float
    closed: float
    answered: float
    unanswered: float


@frozen
class Sent:
    """A packet: of which flow, from which side, with which of TCP's flags."""

    flow: str
    side: Side
    flags: frozenset[str] = frozenset()

    @property
    def opens(self) -> bool:
        """Whether it asks for a connection."""
        return "S" in self.flags and not self.flags & {"A", "R"}


@define
class Known:
    """A flow that is known."""

    connection: bool
    first: Side
    until: float = 0.0
    answered: bool = False
    open: bool = False
    closed_by: set[Side] = field(factory=set)
    reset: bool = False
    granted: dict[str, int] = field(factory=dict)

    @property
    def over(self) -> bool:
        """Whether another may begin with the same ends."""
        return self.reset or len(self.closed_by) == 2

    def lasts(self, timeouts: Timeouts) -> float:
        """How long it is known without another packet."""
        if not self.connection:
            return timeouts.answered if self.answered else timeouts.unanswered
        if self.over:
            return timeouts.closed
        return timeouts.open if self.open else timeouts.opening

    def hear(self, packet: Sent) -> None:
        """Take a packet of the flow, its first one as well."""
        if not self.connection:
            self.answered |= packet.side != self.first
            return
        if "R" in packet.flags:
            self.reset = True
            return
        if packet.side != self.first:
            self.answered = True
        elif self.answered and "S" not in packet.flags:
            self.open = True
        if "F" in packet.flags:
            self.closed_by.add(packet.side)
        elif packet.side == self.first and self.open and "S" not in packet.flags:
            self.reset = False  # whoever was reset would not speak


@define
class Model:
    """All flows, and the clock."""

    timeouts: Timeouts
    connections: frozenset[str]
    now: float = 0.0
    generation: int = 1
    flows: dict[str, Known] = field(factory=dict)

    def wait(self, seconds: float) -> float:
        """Let time pass, a little more where a flow would be about to end; how long it was."""
        began = self.now
        self.now += seconds
        while any(-2 <= flow.until - self.now <= 5 for flow in self.flows.values()):
            self.now += 1
        return self.now - began

    def known(self, name: str) -> Known | None:
        """The flow, if its time is not up."""
        flow = self.flows.get(name)
        return flow if flow is not None and flow.until > self.now else None

    def place(self, packet: Sent) -> Place:
        """What the packet is to its flow."""
        flow = self.known(packet.flow)
        if flow is None or (packet.opens and flow.over):
            return "new"
        if packet.side == flow.first:
            return "established"
        return "new" if packet.opens and flow.connection else "reply"

    def asks(self, packet: Sent) -> bool:
        """Whether policy decides, for want of a grant of this generation."""
        match self.place(packet):
            case "new":
                return True
            case "reply":
                return False
        return self.flows[packet.flow].granted.get("all") != self.generation

    def send(self, packet: Sent) -> None:
        """Take a packet that may pass."""
        place = self.place(packet)
        if place == "new":
            known = self.known(packet.flow)
            if known is not None and not known.over:
                return  # against the direction of a flow that stays as it is
            self.flows[packet.flow] = Known(packet.flow in self.connections, packet.side)
        flow = self.flows[packet.flow]
        flow.hear(packet)
        flow.until = self.now + flow.lasts(self.timeouts)
        if place != "reply":
            flow.granted["all"] = self.generation
