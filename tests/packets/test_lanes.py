# SPDX-License-Identifier: Apache-2.0
"""Several plugins in one stage: who runs when, and who decides."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from axoneme.datapath import Verdict
from axoneme.testing import plugin_object
from axoneme.testing.packets import TCP, Ethernet, IPv4

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme import PluginObject
    from axoneme.datapath import Datapath

PACKET = bytes(Ethernet() / IPv4("10.0.0.1", "10.0.0.2") / TCP(40000, 443))
#: A lane that shows by its reason, which a probe records, who runs.
LANE = """
    #include <axoneme/plugin.h>
    AXN_STAGE(policy, {order}) {{ packet->reason = {sign}; return {verdict}; }}
"""
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


def lane(name: str, order: str = "", verdict: str = "AXN_NEXT") -> PluginObject:
    """A plugin's lane in the stage policy, ordered by AXN_BEFORE and AXN_AFTER."""
    return plugin_object(LANE.format(order=order, sign=ord(name[-1]), verdict=verdict))


def ran(datapath: Datapath) -> str:
    """The plugins whose lanes ran, in order, a letter each."""
    _, steps = datapath.probe("to_pod", PACKET)
    assert [step.lane for step in steps] == list(range(len(steps)))
    return "".join(chr(step.reason) for step in steps)


def test_lanes_run_by_the_names_of_their_plugins(link: Callable[..., Datapath]) -> None:
    """Nothing declared, the alphabet decides, whatever the order in which they came."""
    datapath = link(c=lane("c"), a=lane("a"), b=lane("b"))
    assert ran(datapath) == "abc"
    assert datapath.assembly.lanes == {"policy": ("a", "b", "c")}


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ({"a": "AXN_AFTER(b)"}, "bac"),
        ({"a": "AXN_AFTER(c)"}, "bca"),
        ({"c": "AXN_BEFORE(a)"}, "bca"),
        ({"c": "AXN_BEFORE(a) AXN_BEFORE(b)"}, "cab"),
        ({"a": "AXN_AFTER(b)", "b": "AXN_AFTER(c)"}, "cba"),
        ({"a": "AXN_AFTER(b) AXN_AFTER(b)"}, "bac"),
        ({"a": "AXN_AFTER(elsewhere) AXN_BEFORE(nobody)"}, "abc"),
        ({"a": "AXN_AFTER(a)"}, "abc"),
    ],
    ids=str,
)
def test_lanes_run_as_their_plugins_declare(
    link: Callable[..., Datapath], orders: dict[str, str], expected: str
) -> None:
    """Before and after come first, then the name; those who are not there count for nothing."""
    assert ran(link(**{name: lane(name, orders.get(name, "")) for name in "abc"})) == expected


def test_the_order_is_the_same_however_plugins_come(link: Callable[..., Datapath]) -> None:
    """Every order of enabling gives one order of lanes."""
    objects = {"a": lane("a", "AXN_AFTER(c)"), "b": lane("b"), "c": lane("c")}
    found = {ran(link(**{name: objects[name] for name in names})) for names in permutations("abc")}
    assert found == {"bca"}


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
