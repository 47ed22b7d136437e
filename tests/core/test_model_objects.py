# SPDX-License-Identifier: Apache-2.0
"""What a plugin may hand to the datapath."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from axoneme import PluginObject

SOURCE = files("axoneme") / "bpf" / "tc.bpf.o"


def test_an_object_needs_its_source_only():
    """Knobs, sizes and needs have defaults, and libbpf is the loader."""
    made = PluginObject(SOURCE)
    assert (dict(made.knobs), dict(made.sizes), made.needs) == ({}, {}, frozenset())
    assert made.loader == "libbpf"


def test_an_object_keeps_what_it_was_given():
    """What the plugin changes later in its own dictionary changes nothing here."""
    knobs = {"guard_level": 3}
    made = PluginObject(Path("x.bpf.o"), knobs, {"guard_ports": 10}, {"tcx"})
    knobs["guard_level"] = 4
    assert made.knobs == {"guard_level": 3}
    assert made.needs == {"tcx"}
    with pytest.raises(TypeError):
        made.knobs["guard_level"] = 5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"source": "x.bpf.o"}, "importlib.resources.files"),
        ({"knobs": ["a"]}, "knobs must be a mapping"),
        ({"knobs": {"a-b": 1}}, "'a-b' is no name of C"),
        ({"knobs": {"a": "1"}}, "a must be int, bool or bytes"),
        ({"knobs": {"a": 1 << 64}}, "does not fit 64 bits"),
        ({"sizes": {"a": 0}}, "a = 0 must be 1 to"),
        ({"sizes": {"a": True}}, "a must be a number of entries"),
        ({"needs": "tcx"}, r"write frozenset\(\{'tcx'\}\)"),
        ({"needs": [""]}, "'' is no name of a feature"),
        ({"loader": ""}, "loader"),
    ],
)
def test_what_the_datapath_could_not_use_is_refused(arguments, told):
    """The mistake is named where the plugin makes it, not where the kernel meets it."""
    with pytest.raises((TypeError, ValueError), match=told):
        PluginObject(**{"source": SOURCE, **arguments})
