# SPDX-License-Identifier: Apache-2.0
"""Several plugins in one stage: who runs when, and who decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.packets.lanes import LANE, PACKET, lane, ran

from axoneme.datapath import Verdict
from axoneme.testing import plugin_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme.datapath import Datapath

FULL = """
    #include <axoneme/plugin.h>
    #define LANE(stage) AXN_STAGE(stage, AXN_PER_FLOW) { return AXN_NEXT; }
    LANE(recall) LANE(admit) LANE(balance) LANE(track) LANE(policy) LANE(proxy) LANE(shape)
    LANE(remember)
    AXN_STAGE(forward, AXN_PER_FLOW)
    {
        packet->flags |= AXN_TO_ENDPOINT;
        packet->out_ifindex = 1;
        return %s;
    }
"""


#: A lane that lets packets go round all that comes after it.
ROUND = """
    #include <axoneme/plugin.h>
    AXN_STAGE(recall, {tags}) {{ return AXN_PASS; }}
    AXN_STAGE(remember, {tags}) {{ return AXN_NEXT; }}
    AXN_STAGE(admit) {{ return AXN_NEXT; }}
"""


def test_lanes_run_by_the_names_of_their_plugins(link: Callable[..., Datapath]) -> None:
    """Nothing declared, the alphabet decides, whatever the order in which they came."""
    datapath = link(c=lane("c"), a=lane("a"), b=lane("b"))
    assert ran(datapath) == "abc"
    assert datapath.assembly.lanes == {"policy": ("a", "b", "c")}


def test_eight_lanes_run_in_order(link: Callable[..., Datapath]) -> None:
    """A stage has room for eight plugins."""
    assert ran(link(**{name: lane(name) for name in "hgfedcba"})) == "abcdefgh"


@pytest.mark.parametrize("at", range(8))
def test_the_first_lane_that_decides_is_the_last_that_runs(
    link: Callable[..., Datapath], at: int
) -> None:
    """Lanes before it said NEXT, those behind it are not asked."""
    names = "abcdefgh"
    verdicts = dict.fromkeys(names, "AXN_NEXT") | {names[at]: "AXN_DROP"}
    datapath = link(**{name: lane(name, verdict=verdicts[name]) for name in names})
    assert ran(datapath) == names[: at + 1]
    assert datapath.run("to_pod", PACKET).verdict == Verdict.DROP


def test_a_lane_is_gone_with_its_plugin(link: Callable[..., Datapath]) -> None:
    """The others move up."""
    link(a=lane("a"), b=lane("b"), c=lane("c"))
    assert ran(link(a=lane("a"), c=lane("c"))) == "ac"
    assert ran(link()) == ""


def test_a_probe_holds_the_answers_of_all_lanes_that_there_can_be(
    link: Callable[..., Datapath],
) -> None:
    """Eight plugins in each stage of from_pod, and in to_pod's where they run inline."""
    names = [f"full{n}" for n in range(8)]
    deciding = FULL % "AXN_REDIRECT"
    going_on = FULL % "AXN_NEXT"
    objects = {name: plugin_object(going_on) for name in names[:7]}
    datapath = link(**objects, full7=plugin_object(deciding))
    _, steps = datapath.probe("from_pod", PACKET)
    assert len(steps) == (9 + 4) * 8


def test_one_plugin_may_fill_a_stage_from_two_objects(link: Callable[..., Datapath], node) -> None:
    """Its lanes stand together, by the names of the objects, between those of others."""
    datapath = link()
    two = [plugin_object(LANE.format(order="", sign=ord(s), verdict="AXN_NEXT"), s) for s in "xb"]
    assembly = node.call(datapath.prepare, {"b": two, "a": [lane("a")], "c": [lane("c")]})
    node.call(datapath.commit, assembly)
    assert ran(datapath) == "abxc"


def reached(datapath: Datapath) -> list[str]:
    """The stages of from_pod that a packet comes by."""
    return [step.stage for step in datapath.probe("from_pod", PACKET)[1]]


def test_no_packet_goes_round_a_plugin_that_wants_them_all(link: Callable[..., Datapath]) -> None:
    """Nor round one that did not say AXN_PER_FLOW; a plugin's own stages are its own affair."""
    around = plugin_object(ROUND.format(tags=""), "around")
    assert reached(link(around=around)) == ["recall"]
    datapath = link(around=around, a=lane("a"))
    assert reached(datapath) == ["admit", "policy"]
    assert datapath.assembly.asked_always == {"around": ("a",)}
    assert datapath.assembly.lanes == {"admit": ("around",), "policy": ("a",)}
    datapath = link(around=around, a=lane("a", "AXN_PER_FLOW"))
    assert reached(datapath) == ["recall"]
    assert datapath.assembly.asked_always == {}
    assert reached(link(around=around, a=lane("a", "AXN_PER_FLOW"), b=lane("b"))) != ["recall"]


def test_two_plugins_that_recall_do_not_go_round_each_other(link: Callable[..., Datapath]) -> None:
    """Unless they have said that they may; their lanes stay lanes."""
    one = plugin_object(ROUND.format(tags=""), "one")
    two = plugin_object(ROUND.replace("admit)", "admit, AXN_PER_FLOW)").format(tags="AXN_PER_FLOW"))
    datapath = link(one=one, two=two)
    assert datapath.assembly.asked_always == {"two": ("one",)}
    assert datapath.assembly.lanes["recall"] == ("one",)
    assert datapath.assembly.lanes["admit"] == ("one", "two")
    assert reached(datapath) == ["recall"]
    assert reached(link(two=two)) == ["recall"]
