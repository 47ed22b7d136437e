# SPDX-License-Identifier: Apache-2.0
"""Host and datapath together: faults of a plugin, swaps, and what stays when they fail."""

from __future__ import annotations

import pytest

from axoneme.errors import DatapathError
from axoneme.host import entry_points
from axoneme.testing.objects import fake_plugin, plugin_object
from axoneme.testing.pipelines import Pipeline

CLOSED = """
    #include <axoneme/plugin.h>
    AXN_REASON(closed_all, "All is closed");
    AXN_KNOB(__u32, closed_port, 0, "The port that is closed; 0 is every port");
    AXN_STAGE(policy)
    {
        if (closed_port && packet->tuple.dport != bpf_htons(closed_port))
            return AXN_NEXT;
        return axn_drop(packet, closed_all);
    }
"""
REFUSED = """
    #include <axoneme/plugin.h>
    AXN_STAGE(policy)
    {
        void *data = (void *)(long)ctx->data;

        return *(int *)(data + 4000);
    }
"""


TRACKING = """
    #include <axoneme/plugin.h>
    AXN_STAGE(track)
    {
        return AXN_NEXT;
    }
"""


def fail(*_):
    """A hook that raises."""
    raise RuntimeError("out of luck")


@pytest.fixture
def closed():
    """An object that closes the port 80."""
    return plugin_object(CLOSED, "closed", knobs={"closed_port": 80})


@pytest.fixture
def start(node):
    """Start pipelines with the tc plugin and plugins of the test's own."""
    made = []

    def start(*plugins, on=None):
        names = ["tc", *(p.name for p in plugins)] if on is None else on
        pipeline = Pipeline(node, names, entry_points=lambda: [*entry_points(), *plugins])
        made.append(pipeline)
        return pipeline

    yield start
    for pipeline in made:
        pipeline.close()


def pods(pipeline):
    """Two pods, one of which serves."""
    one, two = pipeline.add_pod("one"), pipeline.add_pod("two")
    two.serve(80)
    two.serve(81)
    return one, two


@pytest.mark.parametrize(
    ("hook", "parameters"),
    [
        ("axoneme_config", ()),
        ("axoneme_objects", ("config",)),
        ("axoneme_fill", ("datapath", "config")),
        ("axoneme_endpoint_added", ("endpoint", "datapath", "config")),
        ("axoneme_metrics", ("datapath", "config")),
    ],
)
def test_a_plugin_that_raises_is_named_and_the_rest_runs(start, closed, hook, parameters):
    """Whichever hook it is, the pods go on talking and the reason has the plugin's own words."""
    raising = {hook: _with_parameters(fail, parameters)}
    pipeline = start(fake_plugin("closed", closed, **raising))
    one, two = pods(pipeline)
    pipeline.metrics()
    assert "RuntimeError: out of luck" in pipeline.status("closed")
    assert hook in pipeline.status("closed")
    assert pipeline.status("tc") == "on"
    assert one.reaches(two.ipv4, 81)


def _with_parameters(function, names):
    """A function whose parameters have these names, as the host wants to see them."""
    made = {}
    exec(f"def hook({', '.join(names)}): return function()", {"function": function}, made)
    return made["hook"]


def test_a_quarantined_plugin_keeps_its_stages(start, closed):
    """A fault in Python does not open what the plugin's programs close, nor does the next swap."""
    plugin = fake_plugin("closed", closed, axoneme_metrics=_with_parameters(fail, ("config",)))
    pipeline = start(plugin)
    one, two = pods(pipeline)
    pipeline.metrics()
    assert pipeline.status("closed").startswith("quarantined")
    assert pipeline.configure("[tc]\nforward = false").swap is not None
    assert not one.reaches(two.ipv4, 80, timeout=0.3)
    assert one.reaches(two.ipv4, 81)


def test_a_plugin_that_the_verifier_refuses_is_rejected_and_the_rest_starts(start):
    """The reason names stage and trunk, and ends with the verifier's words."""
    pipeline = start(fake_plugin("wild", plugin_object(REFUSED, "wild")))
    one, two = pods(pipeline)
    status = pipeline.status("wild")
    assert status.startswith("rejected")
    assert "stage policy" in status
    assert "invalid access to packet" in status
    assert one.reaches(two.ipv4, 80)


def test_a_swap_that_would_lose_a_running_plugin_is_refused(start, closed):
    """New settings whose program the verifier refuses leave the old program closing its port."""
    offered = [closed]
    plugin = fake_plugin("closed", axoneme_objects=lambda: tuple(offered))
    pipeline = start(plugin)
    one, two = pods(pipeline)
    offered[:] = [plugin_object(REFUSED, "closed")]
    applied = pipeline.configure("")
    assert applied.swap is None
    assert "closed" in applied.refusal
    assert "stage policy" in applied.refusal
    assert not one.reaches(two.ipv4, 80, timeout=0.3)
    assert one.reaches(two.ipv4, 81)


def test_a_guard_that_is_refused_at_a_start_leaves_what_is_attached(start, closed):
    """The next agent does not start, says why, and what was closed stays closed."""
    offered = [closed]
    plugin = fake_plugin("closed", axoneme_objects=lambda: tuple(offered))
    first = start(plugin)
    one, two = pods(first)
    first.node.call(first.engine.close)
    offered[:] = [plugin_object(REFUSED, "closed")]
    with pytest.raises(DatapathError, match=r"without closed more packets.*stage policy"):
        start(plugin)
    assert not one.reaches(two.ipv4, 80, timeout=0.3)
    assert one.reaches(two.ipv4, 81)
    start(plugin, on=["tc"])
    offered[:] = [closed]
    start(plugin)


def test_a_plugin_that_guards_nothing_may_be_refused_at_a_start(start):
    """The others run without it."""
    offered = [plugin_object(TRACKING, "wild")]
    plugin = fake_plugin("wild", axoneme_objects=lambda: tuple(offered))
    first = start(plugin)
    assert first.status("wild") == "on"
    first.node.call(first.engine.close)
    offered[:] = [plugin_object(REFUSED.replace("policy", "track"), "wild")]
    assert start(plugin).status("wild").startswith("rejected")


def test_a_new_plugin_that_is_refused_does_not_stop_the_swap(start, closed):
    """What else the configuration changes is in effect."""
    wild = fake_plugin("wild", plugin_object(REFUSED, "wild"))
    guard = fake_plugin("closed", closed)
    pipeline = start(guard, wild, on=["tc"])
    one, two = pods(pipeline)
    assert one.reaches(two.ipv4, 80)
    assert pipeline.configure("", plugins=["tc", "closed", "wild"]).swap is not None
    assert pipeline.status("wild").startswith("rejected")
    assert not one.reaches(two.ipv4, 80, timeout=0.3)


def test_a_plugin_that_comes_later_hears_of_the_endpoints(start):
    """As if it had been there when they were added."""
    heard = []
    plugin = fake_plugin("late", axoneme_endpoint_added=lambda endpoint: heard.append(endpoint.id))
    pipeline = start(plugin, on=["tc"])
    one, two = pods(pipeline)
    assert heard == []
    pipeline.configure("", plugins=["tc", "late"])
    assert sorted(heard) == [one.number, two.number]


def test_a_plugins_drops_have_its_own_reason(start, closed):
    """The counter's reason has the plugin as its owner, and a number from 1,024 on."""
    pipeline = start(fake_plugin("closed", closed))
    one, two = pods(pipeline)
    assert not one.reaches(two.ipv4, 80, timeout=0.3)
    (drop,) = pipeline.node.call(pipeline.datapath.drops)
    assert drop.reason.owner == "closed"
    assert drop.reason.text == "All is closed"
    assert drop.reason.number >= 1024
    assert drop.packets >= 1


def test_a_plugin_that_gets_another_chance_hears_of_the_endpoints(start):
    """Also of those that came while it was quarantined."""
    heard, lucky = [], []

    def added(endpoint):
        if not lucky:
            fail()
        heard.append(endpoint.id)

    pipeline = start(fake_plugin("moody", axoneme_endpoint_added=added))
    one, two = pods(pipeline)
    assert pipeline.status("moody").startswith("quarantined")
    lucky.append(True)
    assert str(pipeline.node.call(pipeline.engine.retry, "moody").status) == "on"
    assert sorted(heard) == [one.number, two.number]
