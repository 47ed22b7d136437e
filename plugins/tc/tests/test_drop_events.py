# SPDX-License-Identifier: Apache-2.0
"""Each reason for a drop, as whoever follows events reads it: with its name, in a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import define
from plugins.tc.tests.tracking import ONE4, ONE6, OUTSIDE4, TWO4, TWO6, Tracking, between, datagram

from axoneme.datapath import EventKind, EventReader, Runtime, event_record, trunk_numbers
from axoneme.datapath.reasons import core_reasons
from axoneme.model.policy import Direction
from axoneme.model.rule_set import DENY, PolicyEntry, PolicyKey
from axoneme.observe.book import REASON, KeyReader
from axoneme.observe.flow import FlowReader
from axoneme.observe.rows import RowLayout
from axoneme.testing import Node, fake_plugin, plugin_object
from axoneme.testing.packets import TCP, UDP, DestinationOptions, IPv4, IPv6, Packet, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from plugins.tc.tests.conftest import Ruled

    from axoneme.observe.flow import Flow
    from axoneme.testing.pipelines import Pipeline

#: What the careless plugin does by the port that a packet goes to: no reason, no verdict, its own.
NO_REASON, NO_VERDICT, OWN_REASON = 4000, 4001, 4002
CARELESS = f"""
    #include <axoneme/plugin.h>

    AXN_REASON(careless_port, "A port for the careless");

    AXN_STAGE(proxy)
    {{
        if (packet->tuple.dport == bpf_htons({OWN_REASON}))
            return axn_drop(packet, careless_port);
        if (packet->tuple.dport == bpf_htons({NO_REASON}))
            return AXN_DROP;
        return packet->tuple.dport == bpf_htons({NO_VERDICT}) ? 77 : AXN_NEXT;
    }}
"""
CONNECTIONS = 64
MPLS = 0x8847
#: What no test run can show: the tests that do, with packets on a wire.
ON_A_WIRE = {"vlan_filtered": "test_monitor.py", "strange_encapsulation": "test_monitor_tunnel.py"}
#: Taken over from Hubble, and given by no program yet.
UNUSED = {"write_error", "unsupported_l2"}


@define
class Told:
    """The flows of a pipeline, since they were asked for last."""

    pipeline: Pipeline
    reader: EventReader

    def __call__(self) -> list[Flow]:
        rows, layout = self.reader.read(), RowLayout.of(event_record())
        keys = KeyReader.of(layout).keys(rows)
        found = {key: self._reason(key[1]) for key in keys if key[0] == REASON}
        flows = FlowReader.of(layout, 0, trunk_numbers())
        flows.learn(found)
        return list(flows.read(rows))

    def _reason(self, number: int) -> tuple[str, str, str]:
        reason = self.pipeline.datapath.reasons.get(number)
        return reason.name, reason.text, reason.owner


def follow(pipeline: Pipeline) -> Told:
    """Want all that a pipeline drops, from now on."""
    datapath = pipeline.datapath
    reader = EventReader.of(datapath)
    pipeline.node.call(Runtime.open(datapath).want_events, int(EventKind.DROP))
    while reader.read():
        pass
    return Told(pipeline, reader)


@pytest.fixture(scope="module")
def shared(
    new_ruled: Callable[..., AbstractContextManager[Ruled]],
) -> Iterator[tuple[Ruled, Told]]:
    """A ruled pair with little room for connections and a careless plugin, and its drops."""
    careless = fake_plugin("careless", plugin_object(CARELESS, "careless"))
    with new_ruled(f"[agent.map-entries]\nconntrack = {CONNECTIONS}\n", careless) as ruled:
        told = follow(ruled.pipeline)
        yield ruled, told
        told.reader.close()


@pytest.fixture
def ruled(shared: tuple[Ruled, Told]) -> Ruled:
    """The pair, without flows and with empty rule sets."""
    made, told = shared
    made.call(made.pipeline.datapath.table("conntrack").clear)
    made.hold(made.one)
    made.hold(made.two)
    told()
    return made


def denied(ruled: Ruled) -> Packet:
    """A packet that no rule lets in."""
    ruled.hold(ruled.two, default_deny_ingress=True)
    return datagram(ONE4, TWO4)


def denied_by_rule(ruled: Ruled) -> Packet:
    """A packet that a rule does not let out."""
    ruled.hold(ruled.one, {PolicyKey.of(Direction.EGRESS, 0): PolicyEntry(rule=30, verdict=DENY)})
    return datagram(ONE6, TWO6)


def one_too_many(ruled: Ruled) -> Packet:
    """A packet of a new flow, where there is no room for any more."""
    for port in range(1, 2 * CONNECTIONS):
        run = ruled.pipeline.run("from_pod", bytes(datagram(ONE4, TWO4, port)), pod=ruled.one)
        if run.verdict.name == "DROP":
            return datagram(ONE4, TWO4, 2 * CONNECTIONS)
    pytest.fail("the map never was full")


def cut(packet: Packet, length: int) -> Packet:
    """The first bytes of a packet."""
    return Packet((), bytes(packet)[:length])


PAIR, PAIR6 = IPv4(ONE4, TWO4), IPv6(ONE6, TWO6)
#: The trunk and a packet, or what makes one.
DROPS: dict[str, tuple[str, Packet | Callable[[Ruled], Packet]]] = {
    "none": ("from_pod", datagram(ONE4, TWO4, dport=NO_REASON)),
    "invalid_source_ip": ("from_pod", datagram(OUTSIDE4, TWO4)),
    "policy_denied": ("from_pod", denied),
    "invalid_packet": ("from_pod", frame(IPv4(ONE4, TWO4, version=5), UDP(1, 2))),
    "truncated_l4": ("from_pod", cut(frame(PAIR, TCP(1, 2)), 53)),
    "unsupported_l3": ("from_pod", Packet((), bytes(12) + MPLS.to_bytes(2) + bytes(40))),
    "conntrack_full": ("from_pod", one_too_many),
    "invalid_ipv6_extension": (
        "from_pod",
        frame(PAIR6, *[DestinationOptions()] * 5, UDP(1, 2)),
    ),
    "fragment_not_found": ("from_pod", frame(IPv4(ONE4, TWO4, 17, offset=56), b"data")),
    "no_tunnel": ("to_overlay", datagram(ONE4, OUTSIDE4)),
    "policy_deny": ("from_pod", denied_by_rule),
    "invalid_verdict": ("from_pod", datagram(ONE6, TWO6, dport=NO_VERDICT)),
    "mapped_address": ("from_pod", frame(IPv6("::ffff:10.1.0.1", TWO6), UDP(1, 2))),
    "tunnel_key": ("from_overlay", datagram(OUTSIDE4, TWO4)),
}


@pytest.mark.parametrize("reason", DROPS)
def test_a_drop_is_a_flow_with_the_name_of_its_reason(ruled, shared, reason):
    """Whichever trunk drops it, and however little of the packet could be read."""
    trunk, packet = DROPS[reason]
    told = shared[1]
    made = packet(ruled) if callable(packet) else packet
    told()
    run = ruled.pipeline.run(trunk, bytes(made), pod=ruled.one)
    (flow,) = told()
    expected = next(one for one in core_reasons().values() if one.name == reason)
    assert run.verdict.name == "DROP"
    assert (flow.verdict, flow.kinds[0]) == ("DROPPED", "drop")
    found = flow.reason
    assert (found.number, found.name, found.text) == (expected.number, reason, expected.text)
    assert found.owner == "core"
    assert flow.length == len(bytes(made))


def test_a_plugins_own_reason_has_its_owner(ruled, shared):
    """And the name and the sentence of its object."""
    packet = datagram(ONE4, TWO4, dport=OWN_REASON)
    ruled.pipeline.run("from_pod", bytes(packet), pod=ruled.one)
    (flow,) = shared[1]()
    assert (flow.reason.owner, flow.reason.name) == ("careless", "careless_port")
    assert flow.reason.text == "A port for the careless"
    assert flow.reason.number >= 1024


def test_a_drop_while_an_ended_flow_leaves_is_a_flow_too():
    """Its packets come when the entry that they find is somebody else's by now."""
    with Node() as node:
        track = Tracking(node)
        told = follow(track.pipeline)
        track.send(between(4, "UDP"))
        other = {key: bytes([value[0] ^ 1]) + value[1:] for key, value in track.raw().items()}
        track.overwrite(other)
        track.send(between(4, "UDP"))
        (flow,) = told()
        assert flow.reason.name == "conntrack_busy"
        told.reader.close()
        track.close()


def test_no_reason_of_cores_is_left_out():
    """Who adds one shows it here, or on a wire."""
    names = {reason.name for reason in core_reasons().values()}
    assert names == {*DROPS, "conntrack_busy", *ON_A_WIRE, *UNUSED}
