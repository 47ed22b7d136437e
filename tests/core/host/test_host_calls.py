# SPDX-License-Identifier: Apache-2.0
"""How the host calls plugins, and what becomes of one that fails."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest

from axoneme import PluginFailed, PluginRejected
from axoneme.hookspecs import SPECIFICATIONS
from axoneme.host import Hooks, Status

#: How core calls each hook in all plugins, and what it gets from one that does it right.
CALLS = {
    "axoneme_objects": (lambda host: host.hooks.axoneme_objects(), "[]"),
    "axoneme_loader": (lambda host: host.hooks.axoneme_loader(name="own"), "None"),
    "axoneme_fill": (lambda host: host.hooks.axoneme_fill(datapath=1), "None"),
    "axoneme_endpoint_added": (
        lambda host: host.hooks.axoneme_endpoint_added(endpoint=1, datapath=2),
        "None",
    ),
    "axoneme_endpoint_removed": (
        lambda host: host.hooks.axoneme_endpoint_removed(endpoint=1, datapath=2),
        "None",
    ),
    "axoneme_metrics": (lambda host: host.hooks.axoneme_metrics(datapath=1), "[]"),
    "axoneme_address_pools": (lambda host: host.hooks.axoneme_address_pools(node=1), "[]"),
    "axoneme_choose_pools": (
        lambda host: host.hooks.axoneme_choose_pools(pod=1, node=2),
        "None",
    ),
    "axoneme_node_ipam": (lambda host: host.hooks.axoneme_node_ipam(node=1, usage=2), "None"),
    "axoneme_assign_networks": (
        lambda host: host.hooks.axoneme_assign_networks(cluster=1),
        "None",
    ),
}


def hook(name, body):
    return f"@hookimpl\ndef {name}():\n    calls.append({name!r})\n    {body}\n"


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("raise SystemExit", "SystemExit"),
        ("import axoneme; raise axoneme.PluginRejected('x', plugin='good')", "PluginRejected:"),
    ],
)
def test_a_plugin_that_raises_is_quarantined_and_the_others_are_called(plugins, name, body, told):
    """In every hook: the plugin is named with what it raised, and is not called again."""
    call, right = CALLS[name]
    plugins.add("bad", hook(name, body))
    plugins.add("abc", hook(name, f"return {right}"))
    plugins.add("good", hook(name, f"return {right}"))
    plugins.enable("bad", "abc", "good")
    answers = [call(plugins.host), call(plugins.host)]
    state = plugins.state("bad")
    assert state.status is Status.QUARANTINED
    assert state.reason.startswith(f"raised {told}")
    assert state.reason.endswith(f" in {name}")
    assert plugins.host.enabled() == ("abc", "good")
    assert [len(plugins.module(each).calls) for each in ("abc", "bad", "good")] == [2, 1, 2]
    assert name == "axoneme_loader" or all(list(answer) == ["abc", "good"] for answer in answers)


def test_a_plugin_that_raises_while_it_leaves_has_left(plugins):
    """axoneme_stop is the last call: its fault is shown, and the other plugins stop too."""
    plugins.add("bad", hook("axoneme_stop", "raise ValueError('stuck')"))
    plugins.add("good", hook("axoneme_stop", "return"))
    plugins.enable("bad", "good")
    plugins.host.stop()
    assert plugins.state("bad").status is Status.OFF
    assert plugins.state("bad").reason == "raised ValueError: stuck in axoneme_stop"
    assert plugins.module("good").calls == ["axoneme_stop"]
    assert plugins.host.enabled() == ()


def test_a_failure_is_logged_with_its_traceback(plugins, caplog):
    """The author of the plugin finds the line that raised in the agent's log."""
    plugins.add("bad", hook("axoneme_fill", "raise ValueError('here')"))
    plugins.enable("bad")
    plugins.host.hooks.axoneme_fill(datapath=None)
    assert "plugin bad is quarantined" in caplog.text
    assert "axoneme_bad_of_a_test.py" in caplog.text


def test_an_interrupt_in_a_hook_is_no_fault_of_the_plugin(plugins):
    """The user who stops the agent is obeyed, and nothing is quarantined."""
    plugins.add("alpha", hook("axoneme_fill", "raise KeyboardInterrupt"))
    plugins.enable("alpha")
    with pytest.raises(KeyboardInterrupt):
        plugins.host.hooks.axoneme_fill(datapath=None)
    assert plugins.host.enabled() == ("alpha",)


def test_plugins_are_called_in_the_order_of_their_names(plugins):
    """Neither the configuration's order nor that of installation counts."""
    for name in ("gamma", "alpha", "beta"):
        plugins.add(name, hook("axoneme_objects", "return []"))
    plugins.enable("gamma", "beta", "alpha")
    assert list(plugins.host.hooks.axoneme_objects()) == ["alpha", "beta", "gamma"]


def test_a_plugin_without_the_hook_is_not_in_the_answer(plugins):
    """Who does not implement a hook has no answer, not an empty one."""
    plugins.add("alpha")
    plugins.add("beta", hook("axoneme_fill", "return"))
    plugins.enable("alpha", "beta")
    assert plugins.host.hooks.axoneme_fill(datapath=None) == ("beta",)
    assert plugins.host.call("axoneme_fill", "alpha", datapath=None) is None


def test_an_implementation_gets_the_arguments_that_it_names(plugins):
    """A plugin that does not care for an argument leaves it out."""
    plugins.add(
        "alpha",
        """
        @hookimpl
        def axoneme_endpoint_added(datapath): calls.append(datapath)
        @hookimpl
        def axoneme_endpoint_removed(config, endpoint): calls.append((endpoint, config))
        """,
    )
    plugins.enable("alpha")
    plugins.host.hooks.axoneme_endpoint_added(endpoint="e", datapath="d")
    plugins.host.hooks.axoneme_endpoint_removed(endpoint="e", datapath="d")
    datapath, (endpoint, _) = plugins.module("alpha").calls
    assert (datapath, endpoint) == ("d", "e")


def test_each_plugin_gets_its_own_section(plugins):
    """`config` is the instance of the plugin's own class, as the configuration has it."""
    source = """
        @attrs.frozen
        class Config:
            level: int = 1
        @hookimpl
        def axoneme_config(): return Config
        @hookimpl
        def axoneme_fill(config): calls.append(config)
        """
    plugins.add("alpha", source)
    plugins.add("beta", source)
    plugins.enable("alpha", "beta", sections="[beta]\nlevel = 2")
    plugins.host.hooks.axoneme_fill(datapath=None)
    for name, level in (("alpha", 1), ("beta", 2)):
        assert plugins.module(name).calls == [plugins.module(name).Config(level)]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return None", "returned None from axoneme_objects: expected a list of PluginObject"),
        ("return 3", "returned int from axoneme_objects: expected a list of PluginObject"),
        ("return ['x.bpf.o']", "returned str from axoneme_objects: expected PluginObject items"),
        ("return map(int, 'x')", "raised ValueError: invalid literal"),
    ],
)
def test_objects_must_be_plugin_objects(plugins, body, told):
    """What the datapath could not use is the fault of the plugin that returned it."""
    plugins.add("bad", hook("axoneme_objects", body))
    plugins.enable("bad")
    assert plugins.host.hooks.axoneme_objects() == {}
    assert plugins.state("bad").reason.startswith(told)


def test_objects_are_returned_as_a_tuple(plugins):
    """An iterator that a plugin returns is read before it is passed on."""
    plugins.add(
        "alpha",
        """
        from pathlib import Path
        from axoneme import PluginObject
        @hookimpl
        def axoneme_objects(): return iter([PluginObject(Path("x.bpf.o"))])
        """,
    )
    plugins.enable("alpha")
    (source,) = plugins.host.hooks.axoneme_objects()["alpha"]
    assert source.source.name == "x.bpf.o"


def test_metrics_must_be_metric_families(plugins):
    """A number is no metric family, and one that is gets through."""
    plugins.add("bad", hook("axoneme_metrics", "return [1]"))
    plugins.add(
        "good",
        """
        from prometheus_client.core import CounterMetricFamily
        @hookimpl
        def axoneme_metrics(): return [CounterMetricFamily("axoneme_good_packets", "n", 3)]
        """,
    )
    plugins.enable("bad", "good")
    answers = plugins.host.hooks.axoneme_metrics(datapath=None)
    assert [family.name for family in answers["good"]] == ["axoneme_good_packets"]
    assert plugins.state("bad").reason == (
        "returned int from axoneme_metrics: expected Metric items"
    )


@pytest.mark.parametrize("name", CALLS)
def test_an_awaitable_is_no_answer(plugins, name):
    """A coroutine behind a plain function is found when it is returned."""
    plugins.add("bad", f"async def work(): ...\n{hook(name, 'return work()')}")
    plugins.enable("bad")
    CALLS[name][0](plugins.host)
    assert plugins.state("bad").reason == (
        f"returned an awaitable from {name}: hooks are synchronous"
    )


def test_core_answers_for_its_loaders_before_any_plugin(plugins):
    """A plugin cannot stand in for a loader of core's, and provides others."""
    from axoneme import hookimpl
    from axoneme.host import PluginHost

    def axoneme_loader(name):
        return {"libbpf": "core's"}.get(name)

    core = SimpleNamespace(axoneme_loader=hookimpl(axoneme_loader))
    plugins.host = PluginHost(entry_points=plugins.entry_points, core=core, core_version="0.1.0")
    plugins.add("alpha", hook("axoneme_loader", "return"))
    plugins.add("beta", hook("axoneme_loader", "return 'a plugin\\'s'"))
    plugins.add("gamma", hook("axoneme_loader", "return 'too late'"))
    plugins.enable("alpha", "beta", "gamma")
    assert plugins.host.hooks.axoneme_loader(name="libbpf") == "core's"
    assert plugins.module("alpha").calls == []
    assert plugins.host.hooks.axoneme_loader(name="own") == "a plugin's"
    assert plugins.module("gamma").calls == []


def test_no_loader_is_none(plugins):
    """Core says what to do about a loader that nobody provides."""
    assert plugins.host.hooks.axoneme_loader(name="own") is None


def test_a_call_of_one_plugin_raises_what_went_wrong(plugins):
    """Who calls one plugin hears of its failure, with the plugin's own error as the cause."""
    plugins.add("bad", hook("axoneme_fill", "raise ValueError('x')"))
    plugins.enable("bad")
    with pytest.raises(PluginFailed, match="plugin bad: raised ValueError: x") as caught:
        plugins.host.call("axoneme_fill", "bad", datapath=None)
    assert caught.value.plugin == "bad"
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(("name", "status"), [("bad", "rejected"), ("off", "off"), ("no", "not")])
def test_a_plugin_that_is_not_on_is_not_called(plugins, name, status):
    """To call a plugin that is off, rejected or unknown is a mistake of the caller."""
    plugins.add("bad", hook("axoneme_fill", "return"), requires=())
    plugins.add("off")
    plugins.enable("bad")
    with pytest.raises(PluginRejected, match=f"plugin {name}: is {status}"):
        plugins.host.call("axoneme_fill", name, datapath=None)


def test_the_relay_has_every_hook_that_others_call():
    """A hook that is added to the specifications is added to the relay, with its arguments."""
    specified = {
        name: set(inspect.signature(function).parameters)
        for module in SPECIFICATIONS
        for name, function in vars(module).items()
        if name.startswith("axoneme_")
    }
    relayed = {
        name: set(inspect.signature(function).parameters) - {"self"}
        for name, function in vars(Hooks).items()
        if name.startswith("axoneme_")
    }
    for own in ("axoneme_config", "axoneme_stop", "axoneme_explain"):
        del specified[own]
    assert relayed == {name: found - {"config"} for name, found in specified.items()}
    assert relayed.keys() == CALLS.keys()
