# SPDX-License-Identifier: Apache-2.0
"""Plugins that do not go together: one of them is refused, and says because of whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.system.objects import gate, idle

from axoneme.testing import plugin_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.rig import Rig

    from axoneme import PluginObject

_SYMBOL = """
    #include <axoneme/plugin.h>
    {definition}
    AXN_STAGE({stage}) {{ return {use} ? AXN_NEXT : AXN_PASS; }}
"""
FUNCTION = ("__noinline int {}(int x) {{ return x; }}", "{}(packet->family)")
CONSTANT = ("const volatile int {} = 4;", "{}")
MAP = (
    """
    struct {{ __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
              __type(key, __u32); __type(value, __u64); }} {} SEC(".maps");
    """,
    "bpf_map_lookup_elem(&{}, &(__u32){{0}})",
)


def defining(symbol: str, kind: tuple[str, str] = CONSTANT, stage: str = "policy") -> PluginObject:
    """A plugin's object that defines a global symbol of some kind."""
    definition, use = (text.format(symbol) for text in kind)
    text = _SYMBOL.format(definition=definition, use=use, stage=stage)
    return plugin_object(text, f"{stage}_part")


def ordered(*orders: str) -> PluginObject:
    """A plugin's object with these declarations of order."""
    text = f"#include <axoneme/plugin.h>\nAXN_STAGE(policy, {' '.join(orders)}) {{ return 0; }}"
    return plugin_object(text)


@pytest.mark.parametrize("kind", [FUNCTION, CONSTANT, MAP], ids=["function", "constant", "map"])
def test_of_two_plugins_with_one_symbol_the_second_is_refused(
    rig: Rig, matching: Callable[[str, str], None], kind: tuple[str, str]
) -> None:
    """The reason names file, symbol and the other plugin; the first, and a third, are used."""
    plugins = {
        "foo": defining("foo_bar_x", kind),
        "foo_bar": defining("foo_bar_x", kind, "shape"),
        "good": idle(),
    }
    assembly = rig.prepare(**plugins)
    rig.call(rig.datapath.commit, assembly)
    (refused,) = assembly.refused
    assert refused.plugin == "foo_bar"
    matching("shape_part.bpf.o defines foo_bar_x, and so does foo: rename it", refused.reason)
    assert rig.datapath.assembly.lanes == {"policy": ("foo", "good")}


def test_two_symbols_that_only_begin_alike_are_two(rig: Rig) -> None:
    """The prefix of one plugin may be the beginning of another's."""
    rig.put(foo=defining("foo_bar_x"), foo_bar=defining("foo_bar_y"))
    assert rig.datapath.assembly.lanes == {"policy": ("foo", "foo_bar")}


@pytest.mark.parametrize(
    ("plugin", "symbol"), [("parse", "parse_extensions"), ("lanes", "lanes_policy")]
)
def test_a_symbol_of_cores_is_refused(
    rig: Rig, matching: Callable[[str, str], None], plugin: str, symbol: str
) -> None:
    """A plugin whose name leads it there is told whose symbol it is."""
    refusals = rig.refusals(good=idle(), **{plugin: defining(symbol)})
    matching(f"defines {symbol}, and so does core: rename it", refusals[plugin])


def test_objects_of_one_plugin_with_one_symbol_are_refused(
    rig: Rig, matching: Callable[[str, str], None]
) -> None:
    """The linker's words name it, and the other plugin is used."""
    both = [defining("foo_x"), defining("foo_x", stage="shape")]
    refusals = rig.refusals(good=idle(), foo=both)
    matching("part.bpf.o does not link: .*foo_x", refusals["foo"])
    assert set(refusals) == {"foo"}


def test_a_ninth_lane_is_refused(rig: Rig) -> None:
    """The reason names those who have the eight."""
    names = "abcdefghi"
    assembly = rig.prepare(**{name: idle() for name in names})
    rig.call(rig.datapath.commit, assembly)
    (refused,) = assembly.refused
    assert refused.plugin == "i"
    assert refused.reason == (
        "stage policy has 8 lanes, taken by a, b, c, d, e, f, g, h: disable one of them"
    )
    assert rig.datapath.assembly.lanes == {"policy": tuple(names[:8])}


def test_a_ninth_lane_of_one_stage_takes_no_other_stages_lanes(rig: Rig) -> None:
    """Who is refused leaves all its stages; the others keep theirs."""
    stages = "AXN_STAGE(policy) { return 0; } AXN_STAGE(shape) { return 0; }"
    both = plugin_object(f"#include <axoneme/plugin.h>\n{stages}")
    assembly = rig.prepare(**{name: idle() for name in "abcdefgh"}, i=both, j=idle("shape"))
    rig.call(rig.datapath.commit, assembly)
    assert [refused.plugin for refused in assembly.refused] == ["i"]
    assert rig.datapath.assembly.lanes == {"policy": tuple("abcdefgh"), "shape": ("j",)}


@pytest.mark.parametrize(
    ("plugins", "refused"),
    [
        ({"a": "AXN_BEFORE(b)", "b": "AXN_BEFORE(a)"}, "b"),
        ({"a": "AXN_AFTER(b)", "b": "AXN_AFTER(a)"}, "b"),
        ({"a": "AXN_BEFORE(b) AXN_AFTER(b)", "b": ""}, "b"),
        ({"a": "AXN_BEFORE(b)", "b": "AXN_BEFORE(c)", "c": "AXN_BEFORE(a)"}, "c"),
    ],
    ids=["before", "after", "both", "three"],
)
def test_an_order_that_goes_round_is_refused(
    rig: Rig, plugins: dict[str, str], refused: str
) -> None:
    """The reason shows the round; the last of its plugins leaves, and the rest has an order."""
    objects = {name: ordered(order) for name, order in plugins.items()}
    assembly = rig.prepare(**objects, good=idle())
    rig.call(rig.datapath.commit, assembly)
    (found,) = assembly.refused
    assert found.plugin == refused
    assert found.reason.startswith("stage policy: before and after go round: ")
    assert all(name in found.reason.partition("round: ")[2] for name in plugins)
    rest = sorted({*plugins, "good"} - {refused})
    assert rig.datapath.assembly.lanes == {"policy": tuple(rest)}


def test_a_refused_plugin_comes_back_when_its_neighbour_is_gone(rig: Rig) -> None:
    """Nothing of the refusal is remembered."""
    clash = {"foo": defining("foo_bar_x"), "foo_bar": defining("foo_bar_x", stage="shape")}
    assert set(rig.refusals(**clash)) == {"foo_bar"}
    rig.put(foo_bar=clash["foo_bar"])
    assert rig.datapath.assembly.lanes == {"shape": ("foo_bar",)}


def test_a_refused_plugin_leaves_no_pins(rig: Rig) -> None:
    """Its maps are gone with it, those of the others are there."""
    rig.put(gate=gate())
    before = rig.maps()
    text = """
        #include <axoneme/plugin.h>
        struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
                 __type(key, __u32); __type(value, __u64); } part_map SEC(".maps");
        AXN_STAGE(policy) { return bpf_map_lookup_elem(&part_map, &(__u32){0}) ? 0 : 1; }
        AXN_XDP_STAGE(xdp_filter) { return *(__u8 *)(long)(ctx->data + 99); }
    """
    assert set(rig.refusals(gate=gate(), part=plugin_object(text))) == {"part"}
    assert rig.maps() == before
