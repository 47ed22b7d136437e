# SPDX-License-Identifier: Apache-2.0
"""policy on flows: what was granted, what answers it, and what a change of policies does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from axoneme.model.policy import Direction
from axoneme.model.rule_set import PolicyEntry, PolicyKey
from axoneme.testing.packets import ICMP, TCP, UDP, ICMPv6, IPv4, IPv6, frame

if TYPE_CHECKING:
    from typing import Any

ONE, TWO, REMOTE = 1001, 1002, 4242
DENIED = "policy_denied"
V4, V6 = ("10.1.0.1", "10.1.0.2", "10.2.0.9"), ("fd00:10:1::1", "fd00:10:1::2", "fd00:10:2::9")


def key(identity: int, proto: int = 0, port: int = 0, length: int = 0, direction=Direction.INGRESS):
    """The key of an entry."""
    return PolicyKey.of(direction, identity, proto, port, length)


@pytest.fixture(params=[V4, V6], ids=["IPv4", "IPv6"])
def talk(ruled, request):
    """The ruled pair with packets sent for real: talk(source, target, layer)."""
    names = dict(zip(("one", "two", "remote"), request.param, strict=True))
    kind = IPv4 if request.param is V4 else IPv6

    def send(source: str, target: str, layer: Any) -> str:
        """Its verdict, or the reason for its drop."""
        packet = bytes(frame(kind(names[source], names[target]), layer))
        pod = getattr(ruled, source, None) or getattr(ruled, target)
        trunk = "from_pod" if hasattr(ruled, source) else "to_pod"
        before = ruled.pipeline.drop_reasons()
        run = ruled.pipeline.run(trunk, packet, pod=pod)
        after = ruled.pipeline.drop_reasons()
        dropped = [name for name, count in after.items() if count != before.get(name, 0)]
        return "".join(dropped) or run.verdict.name.lower()

    return send


SYN, SYN_ACK, ACK = TCP(40000, 80, "S"), TCP(80, 40000, "SA"), TCP(40000, 80, "A")
REPLY = TCP(80, 40000, "A")
TO_TWO = {key(ONE, 6, 80, 16): PolicyEntry(20)}


def test_replies_need_no_rule(ruled, talk):
    """A pod that may send nothing may answer what it lets in."""
    ruled.hold(ruled.two, TO_TWO, default_deny_ingress=True, default_deny_egress=True)
    assert talk("two", "one", REPLY) == DENIED
    assert talk("one", "two", SYN) == "redirect"
    assert talk("two", "one", SYN_ACK) == "redirect"
    assert talk("one", "two", ACK) == "redirect"
    assert talk("two", "one", REPLY) == "redirect"
    assert talk("two", "one", TCP(81, 40000, "A")) == DENIED
    assert talk("two", "one", TCP(80, 40001, "A")) == DENIED


def test_the_answer_of_a_stranger_gets_in_and_his_call_does_not(ruled, talk):
    """Behind a default deny a pod may still be a client, of pods elsewhere too."""
    ruled.hold(ruled.one, default_deny_ingress=True)
    assert talk("remote", "one", UDP(53, 40000)) == DENIED
    assert talk("one", "remote", UDP(40000, 53)) == "pass"
    assert talk("remote", "one", UDP(53, 40000)) == "pass"
    assert talk("remote", "one", UDP(53, 40001)) == DENIED


def test_a_denied_packet_begins_no_flow(ruled, talk):
    """Neither side's answer gets through afterwards."""
    ruled.hold(ruled.two, default_deny_ingress=True)
    ruled.hold(ruled.one, default_deny_ingress=True)
    assert talk("one", "two", UDP(1000, 2000)) == DENIED
    assert talk("two", "one", UDP(2000, 1000)) == DENIED
    assert len(ruled.call(ruled.pipeline.datapath.table("conntrack").read)) == 0


def test_a_policy_that_comes_later_stops_a_flow_that_runs(ruled, talk):
    """At its next packet: what was granted is granted under a generation."""
    assert talk("one", "two", SYN) == "redirect"
    assert talk("two", "one", SYN_ACK) == "redirect"
    assert talk("one", "two", ACK) == "redirect"
    ruled.hold(ruled.two, default_deny_ingress=True)
    assert talk("one", "two", ACK) == DENIED
    ruled.hold(ruled.two, TO_TWO, default_deny_ingress=True)
    assert talk("one", "two", ACK) == "redirect"
    ruled.hold(ruled.one, default_deny_egress=True)
    assert talk("one", "two", ACK) == DENIED


def test_a_flow_is_asked_for_once_a_generation(ruled, talk):
    """A rule set that changed behind the agent's back is not noticed by a flow that was granted."""
    ruled.hold(ruled.two, TO_TWO, default_deny_ingress=True)
    assert talk("one", "two", SYN) == "redirect"
    ruled.call(ruled.pipeline.datapath.table("policy").clear)
    assert talk("one", "two", ACK) == "redirect"
    assert talk("one", "two", TCP(40001, 80, "S")) == DENIED
    ruled.call(ruled.rules.runtime.bump)
    assert talk("one", "two", ACK) == DENIED
    assert ruled.call(ruled.rules.reconcile)
    assert talk("one", "two", ACK) == "redirect"


def test_rules_are_kept_with_the_flow(ruled, talk):
    """Each side's, under the generation in which they were given."""
    ruled.hold(
        ruled.one, {key(TWO, direction=Direction.EGRESS): PolicyEntry(21)}, default_deny_egress=True
    )
    ruled.hold(ruled.two, TO_TWO, default_deny_ingress=True)
    assert talk("one", "two", SYN) == "redirect"
    ((_, entry),) = ruled.call(lambda: list(ruled.pipeline.datapath.table("conntrack").read()))
    words = entry["granted[0]"], entry["granted[1]"]
    assert [word >> 20 & 0xFFFFF for word in words] == [21, 20]
    assert {word >> 40 for word in words} == {ruled.rules.runtime.generation}


def test_an_echo_is_answered_behind_a_default_deny(ruled, talk, request):
    """By the identifier of its query."""
    ruled.hold(ruled.one, default_deny_ingress=True)
    echo = ICMP if "IPv4" in request.node.name else ICMPv6
    request_, reply = echo.echo(7), echo.echo(7, reply=True)
    assert talk("two", "one", reply) == DENIED
    assert talk("one", "two", request_) == "redirect"
    assert talk("two", "one", reply) == "redirect"
    assert talk("two", "one", request_) == DENIED


def test_an_endpoint_that_changes_is_known_as_what_it_is(new_ruled):
    """Programs remember endpoints for a generation, and every change begins one."""
    packet = bytes(frame(IPv4(V4[0], V4[1]), TCP(40000, 80)))
    entries = {key(ONE): PolicyEntry(20), key(3003): PolicyEntry(21)}
    with new_ruled("") as ruled:

        def verdicts() -> list[str]:
            runs = (ruled.pipeline.run("from_pod", packet, pod=ruled.one) for _ in range(2))
            return [run.verdict.name for run in runs]

        ruled.hold(ruled.two, entries, default_deny_ingress=True)
        assert verdicts() == ["REDIRECT"] * 2
        ruled.add(ruled.one, 3003)
        assert verdicts() == ["REDIRECT"] * 2
        ruled.add(ruled.one, 3004)
        assert verdicts() == ["DROP"] * 2
        ruled.hold(ruled.two)
        assert verdicts() == ["REDIRECT"] * 2
        ruled.call(ruled.addresses.remove, ruled.two.addresses)
        ruled.call(ruled.pipeline.engine.remove_endpoint, ruled.two.number)
        assert verdicts() == ["PASS"] * 2
        ruled.add(ruled.two, TWO)
        assert verdicts() == ["REDIRECT"] * 2
        ruled.call(ruled.pipeline.engine.remove_endpoint, ruled.one.number)
        assert verdicts() == ["DROP"] * 2
