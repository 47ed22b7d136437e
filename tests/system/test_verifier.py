# SPDX-License-Identifier: Apache-2.0
"""What the verifier refuses: whose it is, and where, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.system.objects import gate, idle, wild
from tests.system.rig import Rig

from axoneme.datapath import Device, all_stages, trunk
from axoneme.errors import DatapathError
from axoneme.testing import plugin_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from axoneme import PluginObject
    from axoneme.testing import Node

#: The first trunk that runs each stage of tc.
TC_STAGES = {
    stage: next(
        t
        for t in ("from_pod", "to_pod", "from_uplink", "to_uplink", "from_overlay", "to_overlay")
        if stage in trunk(t).stages
    )
    for stage, image in all_stages().items()
    if image == "tc"
}
#: Three functions that stand in three objects: each has little stack, all of them too much.
_DEEP = """
    #include <axoneme/plugin.h>
    {callee}
    {function}
    {{
        volatile __u8 room[128], more[32];

        room[x & 127] = more[x & 31] = x;
        return room[(x + 1) & 127] + more[(x + 1) & 31] + {call};
    }}
    {stage}
"""


def deep() -> list[PluginObject]:
    """A plugin of three objects whose functions call each other: too deep together."""
    rows = [
        ("deep_a", "deep_b", "AXN_STAGE(policy) { return deep_a(packet->len) ? 0 : 1; }"),
        ("deep_b", "deep_c", "AXN_STAGE(shape) { return deep_b(packet->len) ? 0 : 1; }"),
        ("deep_c", "", "AXN_STAGE(proxy) { return deep_c(packet->len) ? 0 : 1; }"),
    ]
    return [
        plugin_object(
            _DEEP.format(
                callee=f"extern int {callee}(int x);" if callee else "",
                function=f"__noinline int {name}(int x)",
                call=f"{callee}(x)" if callee else "0",
                stage=stage,
            ),
            name,
        )
        for name, callee, stage in rows
    ]


@pytest.mark.parametrize("stage", TC_STAGES)
def test_a_refusal_names_plugin_stage_and_trunk(
    rig: Rig, matching: Callable[[str, str], None], stage: str
) -> None:
    """And it ends with the verifier's last words, in every stage of tc."""
    reason = rig.refusals(wild=wild(stage))["wild"]
    place = rf"\(plugin wild, stage {stage}, trunk {TC_STAGES[stage]}\)"
    matching(rf"^the kernel refuses {TC_STAGES[stage]} of tc {place}\n", reason)
    matching(r"invalid access to packet, off=4000 size=1", reason)
    assert 3 <= reason.count("\n") <= 13


@pytest.mark.parametrize("names", [("a", "wild", "z"), ("wild", "x", "y"), ("a", "b", "wild")])
def test_of_several_plugins_in_a_stage_the_right_one_is_named(
    rig: Rig, names: tuple[str, ...]
) -> None:
    """Whichever lane it has; the others are used."""
    objects = {name: wild() if name == "wild" else idle() for name in names}
    assembly = rig.prepare(**objects)
    rig.call(rig.datapath.commit, assembly)
    assert [refused.plugin for refused in assembly.refused] == ["wild"]
    rest = tuple(name for name in names if name != "wild")
    assert rig.datapath.assembly.lanes == {"policy": rest}


def test_each_of_two_refused_plugins_is_named_with_its_own_stage(rig: Rig) -> None:
    """The one does not hide the other."""
    refusals = rig.refusals(good=idle(), one=wild("shape"), two=wild("encrypt"))
    assert "plugin one, stage shape, trunk from_pod" in refusals["one"]
    assert "plugin two, stage encrypt, trunk to_uplink" in refusals["two"]
    assert set(refusals) == {"one", "two"}


def test_a_function_of_the_plugins_own_is_its_fault(
    rig: Rig, matching: Callable[[str, str], None]
) -> None:
    """The log names no stage then: the plugin is found by trying."""
    text = """
        #include <axoneme/plugin.h>
        __noinline int own_help(struct __sk_buff *ctx)
        {
            __u8 *data = (void *)(long)ctx->data;

            return data[99];
        }
        AXN_STAGE(policy) { return own_help(ctx) ? AXN_NEXT : AXN_PASS; }
    """
    plugins = {"a": idle(), "own": plugin_object(text), "z": idle()}
    refusals = rig.refusals(**plugins)
    assert set(refusals) == {"own"}
    matching(r"\(plugin own, trunk from_pod\)\n.*own_help.*invalid access", refusals["own"])


@pytest.mark.parametrize("beside", [(), ("a",), ("a", "z")], ids=["alone", "one", "two"])
def test_a_stack_that_is_too_deep_in_all_is_found_by_trying(
    rig: Rig, matching: Callable[[str, str], None], beside: tuple[str, ...]
) -> None:
    """Each function alone has room; the log names no function."""
    assembly = rig.prepare(deep=deep(), **{name: idle() for name in beside})
    rig.call(rig.datapath.commit, assembly)
    (refused,) = assembly.refused
    assert refused.plugin == "deep"
    matching(r"\(plugin deep, trunk from_pod\)\n.*combined stack size", refused.reason)
    assert rig.datapath.assembly.lanes == ({"policy": beside} if beside else {})


def test_an_endless_loop_is_refused(rig: Rig, matching: Callable[[str, str], None]) -> None:
    """In the verifier's words."""
    text = """
        #include <axoneme/plugin.h>
        AXN_STAGE(policy)
        {
            volatile int n = 0;

            while (1)
                n++;
            return AXN_NEXT;
        }
    """
    matching("stage policy.*infinite loop", rig.refusals(a=plugin_object(text))["a"])


@pytest.mark.parametrize(
    ("image", "stage", "trunk_name", "text"),
    [
        (
            "xdp",
            "xdp_balance",
            "xdp_ingress",
            "AXN_XDP_STAGE(xdp_balance) { return *(__u8 *)(long)(ctx->data + 99); }",
        ),
        (
            "socket",
            "sock_restore",
            "recvmsg4",
            "AXN_SOCKET_STAGE(sock_restore) { return *(volatile __u8 *)(call + 1); }",
        ),
    ],
)
def test_a_refusal_of_another_image_leaves_the_plugins_other_stages_out_too(
    node: Node,
    matching: Callable[[str, str], None],
    image: str,
    stage: str,
    trunk_name: str,
    text: str,
) -> None:
    """A plugin is in effect with all of its stages, or with none."""
    rig = Rig(node, cgroup=node.cgroup, uplinks=[Device("lo", 1)])
    both = f"#include <axoneme/plugin.h>\n{text}\nAXN_STAGE(policy) {{ return AXN_NEXT; }}"
    assembly = rig.prepare(both=plugin_object(both), good=idle())
    rig.call(rig.datapath.commit, assembly)
    (refused,) = assembly.refused
    matching(
        rf"refuses {trunk_name} of {image} \(plugin both, stage {stage}, trunk {trunk_name}\)",
        refused.reason,
    )
    assert rig.datapath.assembly.lanes == {"policy": ("good",)}
    assert set(rig.datapath.assembly.images) == {"tc"}
    rig.close()


def test_what_a_plugins_loader_raises_is_its_own(rig: Rig) -> None:
    """A loader that breaks its promise takes only its objects with it."""

    class Loader:
        name = "own"

        def load(self, request: object) -> object:
            raise KeyError("no such thing")

    rig.datapath._assembler.find_loader = _beside(rig.datapath._assembler.find_loader, Loader())
    item = gate().source
    from axoneme import PluginObject

    refusals = rig.refusals(good=idle(), own=PluginObject(item, loader="own"))
    assert refusals == {"own": "gate.bpf.o: the loader own failed: KeyError: 'no such thing'"}


def _beside(find: Callable[[str], object], loader: object) -> Callable[[str], object]:
    return lambda name: loader if name == "own" else find(name)


def test_a_trunk_that_cannot_be_loaded_is_no_plugins_fault(rig: Rig) -> None:
    """What fails without any plugin is raised, with the reason."""
    rig.datapath._assembler.entries = {"endpoints": 2**32 - 1}
    with pytest.raises(DatapathError, match=r"map 'endpoints': failed to create"):
        rig.prepare(good=idle())
