# SPDX-License-Identifier: Apache-2.0
"""Knobs, sizes, needs and loaders that do not fit their object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.system.objects import gate, idle

from axoneme import PluginObject
from axoneme.testing import plugin_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.rig import Rig


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"knobs": {"gate_prt": 1}}, r"there is no knob gate_prt; did you mean 'gate_port'\?"),
        ({"knobs": {"gate_port": 65536}}, r"knob gate_port takes 0 to 65535, not 65536"),
        ({"knobs": {"gate_port": -1}}, r"knob gate_port takes 0 to 65535, not -1"),
        ({"knobs": {"gate_port": b"abc"}}, r"knob gate_port takes 2 bytes, not 3"),
        ({"knobs": {"gate_shut": 7}}, r"there is no knob gate_shut"),
        ({"sizes": {"gate_pased": 5}}, r"no map gate_pased; did you mean 'gate_passed'\?"),
        ({"sizes": {"endpoints": 5}}, r"sizes: the object has no map endpoints"),
        ({"sizes": {"gate_passed": 2**32 - 1}}, r"map 'gate_passed': failed to create"),
        ({"needs": ["helper:sched_cls:nonesuch"]}, r"this kernel lacks helper:sched_cls:nonesuch"),
        ({"needs": ["map:nonesuch", "tcy"]}, r"there is no feature 'tcy': write .*tcx"),
        ({"needs": ["map:hash", "map:nonesuch"]}, r"this kernel lacks map:nonesuch, which"),
        ({"loader": "libpbf"}, r"nobody provides a loader libpbf"),
    ],
    ids=str,
)
def test_settings_that_the_object_cannot_have_are_refused(
    rig: Rig, matching: Callable[[str, str], None], options: dict[str, object], words: str
) -> None:
    """The reason names the setting, and the right one where there is one."""
    source = gate().source
    assembly = rig.prepare(good=idle(), gate=PluginObject(source, **options))
    rig.call(rig.datapath.commit, assembly)
    assert rig.datapath.assembly.lanes == {"policy": ("good",)}
    (refused,) = assembly.refused
    matching(words, refused.reason)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("__s8", 127, ""),
        ("__s8", -128, ""),
        ("__s8", 128, r"takes -128 to 127, not 128"),
        ("__u8", 255, ""),
        ("__u8", 256, r"takes 0 to 255, not 256"),
        ("bool", True, ""),
        ("bool", 2, r"takes 0 to 1, not 2"),
        ("__u64", 2**64 - 1, ""),
        ("__s64", -(2**63), ""),
        ("__s64", 2**63, r"takes -9223372036854775808 to 9223372036854775807"),
        ("__be32", b"\x0a\0\0\1", ""),
        ("union address", bytes(16), ""),
        ("union address", bytes(15), r"takes 16 bytes, not 15"),
    ],
)
def test_a_knob_takes_what_its_type_holds(
    rig: Rig, matching: Callable[[str, str], None], kind: str, value: object, words: str
) -> None:
    """No value is cut or taken for another."""
    zero = "{}" if kind == "union address" else "0"
    text = f"""
        #include <axoneme/plugin.h>
        AXN_KNOB({kind}, bad_knob, {zero}, "A knob");
        AXN_STAGE(policy) {{ return *(const volatile __u8 *)&bad_knob ? AXN_NEXT : AXN_PASS; }}
    """
    refusals = rig.refusals(bad=plugin_object(text, "bad", knobs={"bad_knob": value}))
    if words:
        matching(words, refusals["bad"])
    else:
        assert refusals == {}
