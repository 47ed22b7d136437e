# SPDX-License-Identifier: Apache-2.0
"""What outlives a swap, a restart and a plugin: maps, numbers, endpoints."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.system.objects import gate, idle
from tests.system.traffic import send

from axoneme.datapath.images import trunk_object
from axoneme.testing import plugin_codec, plugin_object

if TYPE_CHECKING:
    from tests.system.rig import Rig

    from axoneme import PluginObject

CORE_MAPS = {f"{m.name}_v{m.layout}" for m in trunk_object("tc").declarations.maps}


def reasons(name: str, *texts: str) -> PluginObject:
    """A plugin with a drop reason for each text."""
    lines = [f'AXN_REASON({name}_r{n}, "{text}");' for n, text in enumerate(texts)]
    text = "\n".join(["#include <axoneme/plugin.h>", *lines, "AXN_STAGE(policy)", "{"])
    return plugin_object(f"{text}\n\treturn axn_drop(packet, {name}_r{len(texts) - 1});\n}}\n")


def numbers(rig: Rig, owner: str) -> dict[str, int]:
    """The numbers of a plugin's reasons."""
    return {r.name: n for n, r in rig.datapath.reasons.all().items() if r.owner == owner}


def passed(rig: Rig) -> int:
    """What the gate's own map has counted in from_pod."""
    table = rig.datapath.table("gate_passed", plugin_codec(gate()))
    return rig.call(table.get, 0, 0)


def test_a_plugins_map_is_kept_over_swaps(rig: Rig) -> None:
    """Its rows are there for the next program, whatever else comes or goes."""
    rig.put(gate=gate())
    one, two = rig.add_pod(), rig.add_pod()
    send(one, two, 5)
    before = passed(rig)
    assert before >= 5
    rig.put(gate=gate(443), idle=idle())
    assert passed(rig) >= before
    send(one, two, 5)
    assert passed(rig) >= before + 5


def test_a_plugins_map_is_kept_over_a_restart(rig: Rig) -> None:
    """The next agent finds the rows, and packets of the time between are in them."""
    rig.put(gate=gate())
    one, two = rig.add_pod(), rig.add_pod()
    send(one, two, 5)
    before = passed(rig)
    rig.call(rig.datapath.close)
    send(one, two, 5)
    rig.open()
    rig.put(gate=gate())
    assert passed(rig) >= before + 5


def test_counters_are_kept_over_a_restart(rig: Rig) -> None:
    """Verdicts and drops with their names."""
    rig.put(gate=gate(443))
    one, two = rig.add_pod(), rig.add_pod()
    send(one, two, 5, port=443)
    rig.restart(one, two, gate=gate(443))
    assert rig.dropped("gate_shut") == 5
    assert rig.counted("to_pod", "DROP") + rig.counted("from_pod", "DROP") == 5


def test_the_pins_of_a_plugin_go_with_it(rig: Rig) -> None:
    """Disabled, its map is gone; the plugin that comes again starts anew."""
    rig.put(gate=gate())
    one, two = rig.add_pod(), rig.add_pod()
    send(one, two, 5)
    assert rig.maps() == CORE_MAPS | {"gate_passed_v1"}
    rig.put()
    assert rig.maps() == CORE_MAPS
    rig.put(gate=gate())
    assert passed(rig) == 0


def test_the_pins_of_a_plugin_that_a_restart_does_not_enable_go(rig: Rig) -> None:
    """What an earlier agent pinned for it is removed."""
    rig.put(gate=gate())
    rig.restart()
    assert rig.maps() == CORE_MAPS


def test_endpoints_that_are_added_again_keep_their_rows(rig: Rig) -> None:
    """The map of endpoints is right at each moment of a restart, and has no others after it."""
    rig.put()
    one, two = rig.add_pod(), rig.add_pod()
    table = rig.datapath.table("endpoints")
    assert len(rig.call(table.read)) == 4
    rig.restart(one)
    rows = dict(rig.call(rig.datapath.table("endpoints").read))
    assert {row["id"] for row in rows.values()} == {one.number}
    assert two.number not in rig.datapath.endpoints


def test_a_row_that_somebody_changed_is_named_and_repaired(rig: Rig) -> None:
    """Repair writes again what differs from the endpoints."""
    rig.put()
    pod = rig.add_pod()
    table = rig.datapath.table("endpoints")
    rig.call(table.clear)
    found = str(rig.call(rig.datapath.repair)[0])
    assert found.startswith("map endpoints: not as written: 2 added")
    assert f"added {pod.ipv4}" in found
    assert len(rig.call(table.read)) == 2
    assert rig.call(rig.datapath.repair) == []
    assert pod.number in rig.datapath.endpoints


def test_reasons_of_plugins_are_numbered_from_1024(rig: Rig) -> None:
    """Each has a number of its own."""
    rig.put(one=reasons("one", "a", "b"), two=reasons("two", "c"))
    found = [*numbers(rig, "one").values(), *numbers(rig, "two").values()]
    assert sorted(found) == [1024, 1025, 1026]


def test_a_reason_keeps_its_number_over_swaps(rig: Rig) -> None:
    """Also while others come and go before it."""
    rig.put(two=reasons("two", "c"))
    before = numbers(rig, "two")
    rig.put(one=reasons("one", "a", "b"), two=reasons("two", "c"))
    assert numbers(rig, "two") == before
    rig.put(one=reasons("one", "a", "b"))
    rig.put(two=reasons("two", "c"))
    assert numbers(rig, "two") == before


@pytest.mark.parametrize("beside", [{}, {"abc": ("a", "b")}], ids=["alone", "beside another"])
def test_a_reason_keeps_its_number_over_a_restart(
    rig: Rig, beside: dict[str, tuple[str, ...]]
) -> None:
    """What the programs count after it has the name that it had before."""
    rig.put(one=reasons("one", "a", "b"), two=reasons("two", "c"))
    before = numbers(rig, "two")
    one, two = rig.add_pod(), rig.add_pod()
    others = {name: reasons(name, *texts) for name, texts in beside.items()}
    rig.restart(one, two, two=reasons("two", "c"), **{n: idle() for n in others})
    assert numbers(rig, "two") == before
    send(one, two, 3)
    assert rig.dropped("two_r0") >= 3


def test_a_number_is_not_given_to_another_after_a_restart(rig: Rig) -> None:
    """Counters of a plugin that is gone stay its own."""
    rig.put(one=reasons("one", "a", "b"))
    rig.restart(two=reasons("two", "c"))
    assert set(numbers(rig, "one").values()) == {1024, 1025}
    assert set(numbers(rig, "two").values()) == {1026}


def test_drops_of_a_plugin_that_is_gone_keep_their_name(rig: Rig) -> None:
    """They are shown with their owner, also by the next agent."""
    rig.put(two=reasons("two", "The second"))
    one, two = rig.add_pod(), rig.add_pod()
    send(one, two, 3)
    rig.restart(one, two)
    found = {(d.reason.owner, d.reason.text) for d in rig.call(rig.datapath.drops)}
    assert ("two", "The second") in found


@pytest.mark.parametrize("text", ["é" * 100, "x" * 126 + "é", "x" * 300, "日本語" * 30])
def test_a_reason_of_any_text_survives_a_restart(rig: Rig, text: str) -> None:
    """What is too long for the map is cut between characters."""
    rig.put(long=reasons("long", text))
    rig.restart(long=reasons("long", text))
    (reason,) = (r for r in rig.datapath.reasons.all().values() if r.owner == "long")
    assert text.startswith(reason.text)
    assert len(reason.text) > 40


def test_pins_that_somebody_removed_are_named_and_made_again(rig: Rig) -> None:
    """The next agent would find nothing, and lose what the maps hold."""
    rig.put(gate=gate())
    one, two = rig.add_pod(), rig.add_pod()
    maps, links = rig.maps(), set(rig.links())
    rig.call(shutil.rmtree, rig.datapath.pins.root)
    found = {str(drift) for drift in rig.call(rig.datapath.repair)}
    assert "pin maps/gate_passed_v1: it was removed" in found
    assert (rig.maps(), set(rig.links())) == (maps, links)
    assert rig.call(rig.datapath.repair) == []
    assert send(one, two, 3) == 3
