# SPDX-License-Identifier: Apache-2.0
"""What becomes of a stage's verdict, and where a packet goes after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.packets.stub import COMMIT, TO_ENDPOINT, always_run

from axoneme.datapath import trunk
from axoneme.testing.packets import TCP, Ethernet, IPv4

if TYPE_CHECKING:
    from tests.packets.stub import Stub

PACKET = bytes(Ethernet() / IPv4("10.0.0.1", "10.0.0.2") / TCP(40000, 443))
TC_TRUNKS = ("from_pod", "to_pod", "from_uplink", "to_uplink", "from_overlay", "to_overlay")
COMMITTING = [name for name in TC_TRUNKS if "commit" in trunk(name).stages]
PLACES = [(name, stage) for name in TC_TRUNKS for stage in always_run(name)]
XDP_PLACES = [("xdp_ingress", stage) for stage in trunk("xdp_ingress").stages]
#: remember runs when all is decided, and its own answer counts for nothing.
DECIDING = [place for place in PLACES if place[1] != "remember"]

NEXT, PASS, DROP, REDIRECT, TO_PROXY = range(5)
TC_NEXT, TC_SHOT, TC_REDIRECT = 0xFFFFFFFF, 2, 7
XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT = 1, 2, 3, 4
POLICY_DENIED = 133
INLINE = ("track", "policy", "proxy", "shape")


@pytest.mark.parametrize("name", [*TC_TRUNKS, "xdp_ingress"])
def test_a_packet_comes_by_all_stages_in_their_order(stub: Stub, name: str) -> None:
    """With NEXT from all, every stage of a trunk but commit runs once, as the trunk lists them."""
    stub.run(name, PACKET)
    assert stub.path() == always_run(name)
    assert {stub.row(stage)["calls"] for stage in always_run(name)} == {1}


@pytest.mark.parametrize(("name", "stage"), DECIDING)
@pytest.mark.parametrize(
    ("verdict", "code"), [(PASS, TC_NEXT), (DROP, TC_SHOT), (REDIRECT, TC_REDIRECT)]
)
def test_a_verdict_at_tc_is_the_programs_and_the_last_stage(
    stub: Stub, name: str, stage: str, verdict: int, code: int
) -> None:
    """Each stage decides for the rest: PASS lets programs behind ours run, none of ours does."""
    stub.answer(stage, verdict, out_ifindex=1)
    run = stub.run(name, PACKET)
    assert run.code == code
    reached = always_run(name)[: always_run(name).index(stage) + 1]
    remembered = stage == "forward" and verdict != DROP
    assert stub.path() == reached + ("remember",) * remembered


@pytest.mark.parametrize(("name", "stage"), XDP_PLACES)
@pytest.mark.parametrize(
    ("verdict", "out_ifindex", "code"),
    [
        (PASS, 0, XDP_PASS),
        (DROP, 0, XDP_DROP),
        (REDIRECT, 1, XDP_REDIRECT),
        (REDIRECT, 0, XDP_TX),
    ],
)
def test_a_verdict_at_xdp_is_the_programs(
    stub: Stub, name: str, stage: str, verdict: int, out_ifindex: int, code: int
) -> None:
    """A redirect to no device sends the packet back where it came from."""
    stub.answer(stage, verdict, out_ifindex=out_ifindex)
    assert stub.run(name, PACKET).code == code


@pytest.mark.parametrize("name", [*TC_TRUNKS, "xdp_ingress"])
@pytest.mark.parametrize("verdict", [TO_PROXY, 5, 255, 256, 1 << 20, -1, -(1 << 31)])
def test_a_verdict_that_is_none_drops_and_says_so(stub: Stub, name: str, verdict: int) -> None:
    """TO_PROXY has no meaning yet, and neither has any number beyond."""
    stages = [stage for stage in always_run(name) if stage != "remember"]
    stub.answer(stages[-1], verdict, reason=POLICY_DENIED)
    assert stub.run(name, PACKET).verdict == DROP
    assert stub.drops() == ((name, "invalid_verdict", len(PACKET)),)


@pytest.mark.parametrize(("name", "stage"), DECIDING + XDP_PLACES)
def test_a_drop_counts_its_reason_at_its_trunk(stub: Stub, name: str, stage: str) -> None:
    """The reason is the stage's own."""
    stub.answer(stage, DROP, reason=POLICY_DENIED)
    stub.run(name, PACKET)
    assert stub.drops() == ((name, "policy_denied", len(PACKET)),)


@pytest.mark.parametrize("name", COMMITTING)
def test_commit_runs_when_a_stage_asks_for_it(stub: Stub, name: str) -> None:
    """It comes last but for remember, and what it answers allows nothing more."""
    stub.answer(always_run(name)[0], NEXT, flags=COMMIT)
    stub.answer("commit", REDIRECT, out_ifindex=1)
    assert stub.run(name, PACKET).code == TC_NEXT
    assert stub.path() == trunk(name).stages


@pytest.mark.parametrize("name", COMMITTING)
def test_a_drop_by_commit_counts(stub: Stub, name: str) -> None:
    """What cannot be remembered does not begin."""
    stub.answer(always_run(name)[0], NEXT, flags=COMMIT)
    stub.answer("commit", DROP, reason=POLICY_DENIED)
    assert stub.run(name, PACKET).code == TC_SHOT
    assert stub.drops() == ((name, "policy_denied", len(PACKET)),)


def test_commit_does_not_run_for_a_dropped_packet(stub: Stub) -> None:
    """Nor for one that a pod's own stages refuse inline."""
    stub.answer("forward", REDIRECT, out_ifindex=1, flags=TO_ENDPOINT | COMMIT)
    stub.answer("policy", DROP, reason=POLICY_DENIED, skip=1)
    assert stub.run("from_pod", PACKET).code == TC_SHOT
    assert stub.row("commit")["calls"] == 0


@pytest.mark.parametrize("verdict", [PASS, DROP, REDIRECT, TO_PROXY, -1])
def test_what_remember_answers_changes_nothing(stub: Stub, verdict: int) -> None:
    """It runs when the packet's way is decided."""
    stub.answer("remember", verdict, reason=POLICY_DENIED)
    assert stub.run("from_pod", PACKET).code == TC_NEXT
    assert stub.drops() == ()


def test_remember_runs_after_a_redirect_and_not_after_a_drop(stub: Stub) -> None:
    """Only what gets through is worth remembering."""
    stub.answer("forward", REDIRECT, out_ifindex=1)
    stub.run("from_pod", PACKET)
    assert stub.row("remember")["calls"] == 1
    stub.answer("forward", DROP)
    stub.run("from_pod", PACKET)
    assert stub.row("remember")["calls"] == 1


@pytest.mark.parametrize(
    ("name", "stage", "twice"),
    [
        ("from_pod", "forward", set(INLINE)),
        ("from_uplink", "deliver", {"track", "policy"}),
    ],
)
def test_a_redirect_into_a_pod_passes_the_pods_own_stages_inline(
    stub: Stub, name: str, stage: str, twice: set[str]
) -> None:
    """They run after the redirect is decided, as to_pod's, with the direction ingress."""
    stub.answer(stage, REDIRECT, out_ifindex=1, flags=TO_ENDPOINT)
    assert stub.run(name, PACKET).code == TC_REDIRECT
    assert {s for s in trunk(name).stages if stub.row(s)["calls"] == 2} == twice
    inline = [stub.seen(s) for s in INLINE]
    assert {(seen["trunk"], seen["direction"], seen["out_ifindex"]) for seen in inline} == {
        (1, 1, 1)
    }
    assert [seen["rule"] for seen in inline] == list(
        range(inline[0]["rule"], inline[0]["rule"] + 4)
    )


def test_a_redirect_to_another_device_passes_no_pods_stages(stub: Stub) -> None:
    """Without the flag, what out_ifindex names is not a pod."""
    stub.answer("forward", REDIRECT, out_ifindex=1)
    stub.run("from_pod", PACKET)
    assert {stub.row(stage)["calls"] for stage in INLINE} == {1}


def test_remember_sees_the_packet_as_its_own_trunk_does(stub: Stub) -> None:
    """After the pod's stages ran inline, trunk and direction are from_pod's again."""
    stub.answer("forward", REDIRECT, out_ifindex=1, flags=TO_ENDPOINT)
    stub.run("from_pod", PACKET)
    seen = stub.seen("remember")
    assert (seen["trunk"], seen["direction"]) == (0, 0)
    assert seen["rule"] > stub.seen("shape")["rule"]


@pytest.mark.parametrize("stage", INLINE)
@pytest.mark.parametrize(("verdict", "code"), [(DROP, TC_SHOT), (PASS, TC_NEXT)])
def test_the_pods_own_stages_decide_inline(stub: Stub, stage: str, verdict: int, code: int) -> None:
    """What a pod's side refuses is not delivered, and a PASS leaves it to the kernel's routing."""
    stub.answer("forward", REDIRECT, out_ifindex=1, flags=TO_ENDPOINT)
    stub.answer(stage, verdict, reason=POLICY_DENIED, skip=1)
    assert stub.run("from_pod", PACKET).code == code
    expected = [("to_pod", "policy_denied", len(PACKET))] if verdict == DROP else []
    assert list(stub.drops()) == expected
    assert stub.row("remember")["calls"] == 0
