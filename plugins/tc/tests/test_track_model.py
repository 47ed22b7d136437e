# SPDX-License-Identifier: Apache-2.0
"""track and commit against the model: any packets, in any order, with any time between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from plugins.tc.tests.flow_model import Model, Sent, Timeouts
from plugins.tc.tests.tracking import (
    ANY_SECONDS,
    CHUNKS,
    ESTABLISHED,
    FIN_SECONDS,
    NEW,
    NEW_SECONDS,
    ONE4,
    ONE6,
    REPLY,
    SYN_SECONDS,
    TCP_SECONDS,
    TWO4,
    TWO6,
)

from axoneme.datapath.clock import now, seconds
from axoneme.datapath.conntrack import FlowState
from axoneme.testing import scaled
from axoneme.testing.packets import SCTP, TCP, UDP, Ethernet, IPv4, IPv6

if TYPE_CHECKING:
    from plugins.tc.tests.tracking import (
        Tracking,
    )

    from axoneme.testing import Packet

PLACES = {"new": NEW, "established": ESTABLISHED, "reply": REPLY}
TIMEOUTS = Timeouts(TCP_SECONDS, SYN_SECONDS, FIN_SECONDS, ANY_SECONDS, NEW_SECONDS)
FLOWS = {
    "TCP": (ONE4, TWO4, 6),
    "TCP over IPv6": (ONE6, TWO6, 6),
    "SCTP": (ONE4, TWO4, 132),
    "UDP": (ONE4, TWO4, 17),
    "GRE": (ONE6, TWO6, 47),
}
CONNECTIONS = frozenset({"TCP", "TCP over IPv6", "SCTP"})
PORTS = 40000, 80


@frozen
class Wait:
    """Some seconds pass."""

    seconds: float


@frozen
class Change:
    """The policies change."""


def packets() -> st.SearchStrategy[Sent]:
    """A packet of any flow."""
    flags = {
        "TCP": ["S", "SA", "A", "PA", "FA", "R", "RA", "SF", "", "SRA", "FPU"],
        "TCP over IPv6": ["S", "SA", "A", "FA", "R"],
        "SCTP": list(CHUNKS),
    }
    return st.sampled_from(list(FLOWS)).flatmap(
        lambda flow: st.builds(
            Sent,
            st.just(flow),
            st.sampled_from(["one", "two"]),
            st.sampled_from(flags.get(flow, [""])).map(frozenset),
        )
    )


def steps() -> st.SearchStrategy[list[Sent | Wait | Change]]:
    """What happens to a node."""
    waits = st.sampled_from([1, 15, 45, 70, 110, 210, 500, 1010]).map(Wait)
    return st.lists(
        st.one_of(packets(), packets(), packets(), waits, st.builds(Change)), max_size=25
    )


def on_the_wire(packet: Sent) -> Packet:
    """The packet's bytes."""
    one, two, protocol = FLOWS[packet.flow]
    back = packet.side == "two"
    ends, ports = ((two, one), PORTS[::-1]) if back else ((one, two), PORTS)
    ip = IPv6(*ends, protocol) if ":" in one else IPv4(*ends, protocol)
    letters = "".join(sorted(packet.flags, key="SFRPAU".index))
    match protocol:
        case 6:
            return Ethernet() / ip / TCP(*ports, flags=letters)
        case 132:
            chunk = {frozenset(name): number for name, number in CHUNKS.items()}[packet.flags]
            return Ethernet() / ip / SCTP(*ports) / bytes([chunk, 0, 0, 4])
        case 17:
            return Ethernet() / ip / UDP(*ports) / b"data"
        case _:
            return Ethernet() / ip / b"data"


REOPENED = [Sent("TCP", "one", frozenset("S")), Sent("TCP", "two", frozenset("R"))]


@settings(
    max_examples=80,
    deadline=scaled(20_000),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps())
@example([*REOPENED, Sent("TCP", "two", frozenset("S")), Sent("TCP", "one", frozenset("SA"))])
@example([Sent("TCP", "one", frozenset("SF")), Sent("TCP", "two", frozenset("F")), Wait(45)])
def test_it_does_what_the_model_does(tracked, happens):
    """Every packet's place, whether policy is asked, and what is left in the map."""
    track, model = tracked.reset(), Model(TIMEOUTS, CONNECTIONS)
    for step in happens:
        match step:
            case Wait():
                track.advance(model.wait(step.seconds))
            case Change():
                model.generation += 1
                track.generation(model.generation)
            case Sent():
                compare(track, model, step)
        compare_flows(track, model)


def compare(track: Tracking, model: Model, packet: Sent) -> None:
    """Send a packet in both worlds."""
    place, asked, before = model.place(packet), model.asks(packet), track.asked()
    pod = track.one if packet.side == "one" else track.two
    assert track.state(on_the_wire(packet), pod) == PLACES[place]
    assert track.asked() == tuple(count + asked for count in before)
    model.send(packet)


def compare_flows(track: Tracking, model: Model) -> None:
    """Compare what is known in both worlds; what is over may still be in the map."""
    names = {(str(one), protocol): name for name, (one, _, protocol) in FLOWS.items()}
    found = {}
    for flow in track.flows():
        left = seconds(flow.expiry - now())
        if left > 0:
            one = min(str(flow.source), str(flow.destination))
            found[names[one, flow.proto]] = (flow, left)
    known = {name for name in FLOWS if model.known(name)}
    assert found.keys() == known
    for name, (flow, left) in found.items():
        wanted = model.flows[name]
        assert str(flow.source) == FLOWS[name][wanted.first == "two"]
        assert bool(flow.state & FlowState.REPLIED) == wanted.answered
        assert bool(flow.state & FlowState.CONFIRMED) == wanted.open
        assert bool(flow.state & FlowState.RESET) == wanted.reset
        assert -4 <= left - (wanted.until - model.now) <= 1
