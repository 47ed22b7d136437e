# SPDX-License-Identifier: Apache-2.0
"""The test kit's plugins: objects of C text, their codecs, and entry points of nobody's package."""

from __future__ import annotations

import subprocess

import pytest

from axoneme.config import parse_config
from axoneme.host import PluginHost
from axoneme.testing import compile_text, fake_plugin, plugin_codec, plugin_object
from axoneme_sdk.compile import BuildError
from axoneme_sdk.declarations import Declarations

NOTHING = "#include <axoneme/plugin.h>\nAXN_STAGE(policy) { return AXN_NEXT; }\n"
WITH_MAP = """
    #include <axoneme/plugin.h>
    struct row { __be16 port; __u16 pad; __u32 count; };
    struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, struct row);
    } kit_rows SEC(".maps");
    AXN_STAGE(policy)
    {
        __u32 key = 0;

        return bpf_map_lookup_elem(&kit_rows, &key) ? AXN_PASS : AXN_NEXT;
    }
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of objects."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def enabled(*points):
    """A host in which these plugins are enabled, and their states by name."""
    host = PluginHost(entry_points=lambda: points, core_version="0.1.0")
    names = [point.name for point in points]
    host.reconfigure(parse_config(f"agent.plugins = {names}", host, name="test.toml"))
    return host, {state.name: state for state in host.plugins()}


def test_text_becomes_an_object_with_its_stages(cache):
    """As the SDK's build would make it, under the name that was given."""
    path = compile_text(NOTHING, "mine")
    assert path.name == "mine.bpf.o"
    assert [stage.name for stage in Declarations.read(path.read_bytes()).stages] == ["policy"]


def test_the_same_text_is_compiled_once(cache, monkeypatch):
    """The second time no compiler runs."""
    first = compile_text(NOTHING)
    monkeypatch.setattr(subprocess, "run", None)
    assert compile_text(NOTHING) == first


def test_indentation_of_the_text_does_not_matter(cache):
    """Text in an indented literal is the same text."""
    indented = "\n".join(f"    {line}" for line in NOTHING.splitlines())
    assert compile_text(indented + "\n") == compile_text(NOTHING)


@pytest.mark.parametrize(("text", "name"), [(NOTHING + "\n", "test"), (NOTHING, "other")])
def test_another_text_or_name_is_another_object(cache, text, name):
    """They do not overwrite each other."""
    assert compile_text(text, name) != compile_text(NOTHING)


def test_text_that_does_not_compile_is_an_error_and_leaves_nothing(cache):
    """The compiler's words are in it, and the next try compiles again."""
    for _ in range(2):
        with pytest.raises(BuildError, match="error: use of undeclared identifier 'nonsense'"):
            compile_text(NOTHING.replace("AXN_NEXT", "nonsense"))
    assert list((cache / "axoneme" / "objects").iterdir()) == []


def test_an_object_has_the_options_that_are_given(cache):
    """Knobs, sizes, needs and loader are those of PluginObject."""
    made = plugin_object(NOTHING, knobs={"a_knob": 3}, needs={"tcx"})
    assert (dict(made.knobs), made.needs, made.loader) == ({"a_knob": 3}, {"tcx"}, "libbpf")


def test_a_codec_knows_the_maps_of_its_objects(cache):
    """Fields, sizes and byte order, as a plugin's build would write them."""
    codec = plugin_codec(plugin_object(WITH_MAP), plugin_object(NOTHING))
    assert codec.MAPS["kit_rows"][:2] == ("uint32_t", "struct row")
    assert codec.SIZES["struct row"] == 8
    assert codec.FIELDS["struct row"][0] == ("port", 0, 2, "be")


def test_a_fake_plugin_is_vetted_and_enabled(cache):
    """The host takes it for installed, with the version and the objects that it was given."""
    item = plugin_object(NOTHING)
    host, states = enabled(fake_plugin("fake", item, version="4.2"))
    state = states["fake"]
    assert (state.status, state.distribution, state.version) == ("on", "axoneme-fake", "4.2")
    assert host.hooks.axoneme_objects() == {"fake": (item,)}


def test_a_fake_plugin_answers_the_hooks_that_it_was_given():
    """Each by its name, and only these."""
    told = []
    plugin = fake_plugin("fake", axoneme_stop=lambda: told.append("stop"))
    host, _ = enabled(plugin)
    assert host.hooks.axoneme_objects() == {}
    host.stop()
    assert told == ["stop"]


def test_a_fake_plugin_for_another_core_is_rejected():
    """Its requirements count as those of any distribution."""
    _, states = enabled(fake_plugin("fake", requires=["axoneme>=7"]))
    assert states["fake"].status == "rejected"
    assert "needs axoneme>=7 and this is 0.1.0" in states["fake"].reason


def test_two_fake_plugins_of_one_name_are_two():
    """Each host sees its own."""
    first, second = ({"axoneme_stop": lambda: None}, {"axoneme_metrics": lambda: ()})
    one, _ = enabled(fake_plugin("fake", **first))
    two, _ = enabled(fake_plugin("fake", **second))
    assert one.hooks.axoneme_metrics(datapath=None) == {}
    assert two.hooks.axoneme_metrics(datapath=None) == {"fake": ()}
