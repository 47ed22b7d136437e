# SPDX-License-Identifier: Apache-2.0
"""`axoneme plugin check`: a plugin is loaded for real, alone and with others, and nothing stays."""

from __future__ import annotations

import json
import os
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from axoneme.cli._check import check_plugin
from axoneme.cli.plugin import plugin_group
from axoneme.errors import AxonemeError
from axoneme.testing.objects import fake_plugin, plugin_object
from axoneme.testing.pipelines import Pipeline

GOOD = """
    #include <axoneme/plugin.h>
    struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 16);
        __type(key, union address);
        __type(value, __u64);
    } good_map SEC(".maps");
    AXN_REASON(good_reason, "Not good");
    AXN_KNOB(__u32, good_limit, 0, "How many");
    AXN_STAGE(policy, AXN_AFTER(other))
    {
        union address key = packet->tuple.daddr;
        __u64 *found = bpf_map_lookup_elem(&good_map, &key);

        return found && *found > good_limit ? axn_drop(packet, good_reason) : AXN_NEXT;
    }
"""
OTHER = "#include <axoneme/plugin.h>\nAXN_STAGE(policy) { return packet->len == 1; }"
REFUSED = """
    #include <axoneme/plugin.h>
    AXN_STAGE(policy)
    {
        void *data = (void *)(long)ctx->data;

        return *(int *)(data + 4000);
    }
"""


@attrs.frozen
class Needy:
    """A section with a key that has no default."""

    limit: int


def check(*plugins, name=None, config=None):
    """Check the first of these plugins, or the one of a name, among them."""
    return check_plugin(name or plugins[0].name, lambda: plugins, config)


def numbers(report, trunk):
    """The instructions of one trunk: core, alone, others, with all."""
    return next(attrs.astuple(t)[1:] for t in report.trunks if t.name == trunk)


@pytest.fixture(scope="module")
def good():
    """A report of a plugin with something of everything, beside another."""
    return check(
        fake_plugin("good", plugin_object(GOOD, "good", sizes={"good_map": 99})),
        fake_plugin("other", plugin_object(OTHER, "other")),
    )


def test_a_good_plugin_has_no_problem(good):
    """And the report says of what it speaks."""
    assert good.problems == ()
    assert (good.plugin, good.distribution, good.others) == ("good", "axoneme-good 1.0", ("other",))
    assert good.kernel == os.uname().release


def test_stages_have_their_lanes_stack_and_helpers(good):
    """Alone it has the first lane, with the other the second: it said `after`."""
    (stage,) = good.objects[0].stages
    assert (stage.name, stage.alone, stage.with_all) == ("policy", ("good",), ("other", "good"))
    assert stage.stack == 32
    assert stage.helpers == ("map_lookup_elem",)


def test_maps_reasons_and_knobs_are_listed(good):
    """With the size that this node gives."""
    one = good.objects[0]
    (row,) = one.maps
    assert (row.name, row.type, row.key, row.value) == ("good_map", "hash", 16, 8)
    assert (row.entries, row.layout, len(row.hash)) == (99, 1, 16)
    assert [(r.name, r.text) for r in one.reasons] == [("good_reason", "Not good")]
    assert [(k.name, k.size, k.text) for k in one.knobs] == [("good_limit", 4, "How many")]


def test_every_trunk_with_the_stage_is_verified_without_it_and_with_others(good):
    """And one that is loaded for others only is there too. Not always is less code less work."""
    for trunk in ("from_pod", "to_pod", "from_uplink", "to_uplink"):
        core, alone, others, with_all = numbers(good, trunk)
        assert min(core, alone, others, with_all) > 1000
        assert core not in (alone, with_all)


def test_a_trunk_that_only_the_plugin_fills_is_not_there_without_it():
    """XDP is loaded when somebody fills a stage of it."""
    text = "#include <axoneme/plugin.h>\nAXN_XDP_STAGE(xdp_filter) { return packet->len == 1; }"
    report = check(fake_plugin("early", plugin_object(text, "early")))
    core, alone, others, with_all = numbers(report, "xdp_ingress")
    assert (core, others) == (None, None)
    assert alone == with_all > 0


def test_the_verifiers_refusal_is_the_problem():
    """With the stage, and its last words."""
    report = check(fake_plugin("bad", plugin_object(REFUSED, "bad")))
    (problem,) = report.problems
    assert "plugin bad, stage policy" in problem
    assert "invalid access to packet" in problem
    assert report.objects[0].stages[0].alone == ()


def test_what_goes_wrong_only_with_the_others_says_so():
    """Two plugins with one symbol."""
    symbol = "#include <axoneme/plugin.h>\n__noinline int a_b_f(int a) { return a; }\n"
    report = check(
        fake_plugin("a-b", plugin_object(symbol + "AXN_STAGE(policy) { return 0; }", "ab")),
        fake_plugin("a", plugin_object(symbol + "AXN_STAGE(admit) { return 0; }", "a")),
    )
    (problem,) = report.problems
    assert problem.startswith("with the others: ab.bpf.o defines a_b_f, and so does a")


def test_who_loses_a_lane_by_it_is_named():
    """The ninth by name is refused, and it is not the plugin that came."""
    plugins = [fake_plugin(f"p{i}", plugin_object(OTHER, "other")) for i in range(9)]
    assert check(*plugins[1:], name="p1").problems == ()
    (problem,) = check(*plugins, name="p0").problems
    assert problem.startswith("with it, p8 is refused: stage policy has 8 lanes")


def test_a_hook_that_raises_is_the_problem():
    """In axoneme_fill, which is called as by an agent."""

    def fill(datapath):
        raise LookupError("no such thing")

    report = check(fake_plugin("raises", plugin_object(OTHER, "other"), axoneme_fill=fill))
    assert report.problems == ("raised LookupError: no such thing in axoneme_fill",)


def test_axoneme_fill_has_the_plugins_maps():
    """They are there, empty, and gone afterwards."""
    seen = []

    def fill(datapath):
        seen.append(datapath.maps.sizes()["good_map"].max_entries)

    report = check(fake_plugin("good", plugin_object(GOOD, "good"), axoneme_fill=fill))
    assert report.problems == ()
    assert seen == [16]


def test_a_plugin_for_another_core_is_the_problem():
    """Before it is imported; there is nothing to describe."""
    report = check(fake_plugin("old", requires=["axoneme<0.1"]))
    assert report.problems[0].startswith("needs axoneme<0.1 and this is ")
    assert report.objects == ()


def test_a_name_that_is_not_installed_has_a_suggestion():
    """As in a configuration."""
    report = check(fake_plugin("portguard"), name="portgard")
    assert report.problems == ("is not installed: did you mean 'portguard'?",)


def test_settings_without_a_default_need_a_configuration(tmp_path):
    """Which also says who the others are."""
    plugins = [
        fake_plugin("needy", plugin_object(OTHER, "other"), axoneme_config=lambda: Needy),
        fake_plugin("other", plugin_object(OTHER, "other")),
        fake_plugin("third", plugin_object(OTHER, "other")),
    ]
    (problem,) = check(*plugins).problems
    assert "needy.limit: is missing and has no default" in problem
    assert "--config" in problem
    assert check(*plugins, name="other").others == ("third",)
    config = tmp_path / "axoneme.toml"
    config.write_text('[agent]\nplugins = ["needy", "third"]\n[needy]\nlimit = 3\n')
    report = check(*plugins, config=config)
    assert (report.problems, report.others) == ((), ("third",))
    with pytest.raises(AxonemeError, match=r"axoneme\.toml does not enable other: add it"):
        check(*plugins, name="other", config=config)


def test_a_running_agent_is_not_touched(node):
    """Its maps, pins and attachments are as they were, though the check has maps of these names."""
    plugin = fake_plugin("good", plugin_object(GOOD, "good"))
    with Pipeline(node, ["good"], entry_points=lambda: [plugin]) as pipeline:
        pipeline.add_pod()
        before = node.call(lambda: sorted(Path(node.bpffs).rglob("*")))
        assert node.call(check, plugin).problems == ()
        assert node.call(lambda: sorted(Path(node.bpffs).rglob("*"))) == before
        assert node.call(pipeline.datapath.drift) == []
        assert node.call(pipeline.datapath.reconcile_endpoints) == 0


def test_the_machine_is_left_as_it_was():
    """No pins, and no mounts."""
    mounts = Path("/proc/self/mountinfo").read_text()
    pins = sorted(Path("/sys/fs/bpf").glob("axoneme*"))
    check(fake_plugin("good", plugin_object(GOOD, "good")))
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert sorted(Path("/sys/fs/bpf").glob("axoneme*")) == pins


@pytest.mark.parametrize(("plugin", "code"), [("tc", 0), ("tcc", 1)])
def test_the_exit_code_says_whether_anything_is_wrong(plugin, code):
    """For scripts, with -o json for their eyes."""
    result = CliRunner().invoke(plugin_group, ["check", plugin, "-o", "json"])
    assert result.exit_code == code
    assert bool(json.loads(result.stdout)["problems"]) == bool(code)
