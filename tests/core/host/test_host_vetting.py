# SPDX-License-Identifier: Apache-2.0
"""Why the host rejects a plugin: always with a sentence, and the other plugins run."""

from __future__ import annotations

import pytest

from axoneme.host import PluginHost, Status

HOOK = "@hookimpl\ndef "


def rejection(plugins, source="", **facts):
    """Install a plugin beside a good one, enable both and return why the first is rejected."""
    plugins.add("bad", source, **facts)
    plugins.add("good")
    plugins.enable("bad", "good")
    state = plugins.state("bad")
    assert state.status is Status.REJECTED
    assert plugins.host.enabled() == ("good",)
    return state.reason


def test_a_plugin_for_another_core_is_rejected_before_its_import(plugins):
    """The range that the plugin's distribution requires is checked without running its code."""
    reason = rejection(plugins, "raise RuntimeError", requires=("axoneme>=0.4,<0.5",))
    assert reason.startswith("needs axoneme<0.5,>=0.4 and this is 0.1.0")
    assert not plugins.is_imported("bad")
    assert plugins.state("bad").version == "1.0"


def test_a_plugin_that_requires_no_core_is_told_to(plugins):
    """Without a requirement on core nothing says what the plugin was written for."""
    reason = rejection(plugins, requires=("attrs", "axoneme-sdk>=0.1"))
    assert 'add a dependency such as "axoneme>=0.1,<0.2"' in reason
    assert not plugins.is_imported("bad")


def test_a_requirement_of_an_extra_is_no_requirement_on_core(plugins):
    """A range that holds for an extra only says nothing about the plugin itself."""
    assert "add a dependency" in rejection(plugins, requires=('axoneme>=0.1; extra == "test"',))


def test_every_range_that_applies_must_hold(plugins):
    """Of two requirements on core both count."""
    assert "axoneme<0.1" in rejection(plugins, requires=("axoneme>=0.0", "Axoneme<0.1"))


def test_a_broken_requirement_is_quoted(plugins):
    """Metadata that is no requirement is shown as it is."""
    assert "'axoneme >>= 1'" in rejection(plugins, requires=("axoneme >>= 1",))


def test_a_development_version_of_core_is_within_its_range(plugins):
    """Who works on core needs no other range in the plugins."""
    plugins.add("alpha")
    plugins.host = PluginHost(entry_points=plugins.entry_points, core_version="0.1.1.dev3+gabc")
    plugins.enable("alpha")
    assert plugins.host.enabled() == ("alpha",)


def test_two_plugins_of_one_name_are_both_named(plugins):
    """Which of two distributions is meant is not guessed."""
    plugins.add("bad", distribution="other-bad", version="3.0")
    reason = rejection(plugins, "raise RuntimeError")
    assert "axoneme-bad 1.0" in reason
    assert "other-bad 3.0" in reason
    assert "uninstall all but one" in reason
    assert not plugins.is_imported("bad")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise RuntimeError('kernel too old\\nand more')", "RuntimeError: kernel too old in"),
        ("raise SystemExit(3)", "SystemExit: 3 in"),
        ("class Odd(BaseException): pass\nraise Odd", "Odd in"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module' in"),
        ("def", "SyntaxError"),
        ("class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute", "Mute in"),
    ],
)
def test_a_plugin_that_cannot_be_imported_says_what_it_raised(plugins, source, told):
    """Whatever an import raises, even an exit of the process, is the plugin's own fault."""
    reason = rejection(plugins, source)
    assert reason.startswith(f"raised {told}")
    assert reason.endswith("in the import of axoneme_bad_of_a_test")


def test_an_interrupt_while_a_plugin_is_imported_is_no_fault_of_it(plugins):
    """The user who stops the agent is obeyed."""
    plugins.add("alpha", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        plugins.enable("alpha")


@pytest.mark.parametrize("value", ["axoneme_bad_of_a_test:thing", "not a module", "a..b"])
def test_an_entry_point_must_be_a_module(plugins, value):
    """An object in a module, or no module at all, is not what core registers."""
    assert "must be a module" in rejection(plugins, value=value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (f"{HOOK}axoneme_metrix(): ...", "axoneme_metrix is no hook of core"),
        (f"{HOOK}axoneme_metrix(): ...", "did you mean 'axoneme_metrics'?"),
        (f"{HOOK}axoneme_fill(datapth): ...", "an argument 'datapth' that the hook does not have"),
        (f"{HOOK}axoneme_fill(datapth): ...", "config, datapath, did you mean 'datapath'?"),
        (f"{HOOK}axoneme_config(config): ...", "(there are: none)"),
        (f"{HOOK}axoneme_fill(datapath=None): ...", "a default for 'datapath'"),
        (f"{HOOK}axoneme_fill(*datapath): ...", "declared with *datapath: core passes each"),
        (f"{HOOK}axoneme_fill(**rest): ...", "declared with **rest: core passes each"),
        (f"{HOOK}axoneme_fill(*, config): ...", "declared with config: core passes each"),
        ("@hookimpl\nasync def axoneme_fill(): ...", "axoneme_fill is async"),
        ("@hookimpl\nasync def axoneme_fill(): yield", "axoneme_fill is async"),
        (f"{HOOK}axoneme_objects(): yield 1", "axoneme_objects is a generator: return a list"),
        ("@hookimpl(wrapper=True)\ndef axoneme_stop():\n    yield", "axoneme_stop is a wrapper"),
        ("@hookimpl(tryfirst=True)\ndef axoneme_stop(): ...", "axoneme_stop is marked tryfirst"),
        ("@hookimpl(trylast=True)\ndef axoneme_stop(): ...", "axoneme_stop is marked trylast"),
        ("def axoneme_stop(): ...", "axoneme_stop is not marked: put @hookimpl above it"),
        ("@hookimpl\nclass axoneme_stop: ...", "axoneme_stop is marked, but no plain function"),
        (
            f"{HOOK}axoneme_stop(): ...\n@hookimpl(specname='axoneme_stop')\ndef end(): ...",
            "end is a second implementation of axoneme_stop, beside axoneme_stop",
        ),
    ],
)
def test_a_hook_that_core_could_not_call_is_explained(plugins, source, told):
    """A wrong name or signature is found at once, with what is allowed and the nearest name."""
    assert told in rejection(plugins, source)


def test_a_hook_that_this_core_does_not_have_may_be_optional(plugins):
    """A plugin for several cores marks what only newer ones call."""
    plugins.add("alpha", "@hookimpl(optionalhook=True)\ndef axoneme_from_the_future(x): ...")
    plugins.enable("alpha")
    assert plugins.host.enabled() == ("alpha",)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise OSError('no disk')", "raised OSError: no disk in axoneme_config"),
        ("return dict", "axoneme_config: <class 'dict'> is no attrs class"),
        ("return None", "axoneme_config: None is no attrs class"),
        ("return attrs.make_class('C', [])()", "axoneme_config: C() is no attrs class"),
        ("return attrs.make_class('C', {'x': attrs.field(type=object)})", "C.x: <class 'object'>"),
        ("return attrs.make_class('C', {'x': attrs.field(type='Nope')})", "'Nope' is not defined"),
    ],
)
def test_settings_that_cannot_be_read_reject_the_plugin(plugins, body, told):
    """What axoneme_config returns must be an attrs class of types that TOML has."""
    assert told in rejection(plugins, f"{HOOK}axoneme_config():\n    {body}")


def test_one_module_cannot_be_two_plugins(plugins):
    """Two entry points for one module would be one plugin with two names."""
    plugins.add("alpha")
    plugins.add("beta", value="axoneme_alpha_of_a_test")
    plugins.enable("beta", "alpha")
    assert plugins.host.enabled() == ("alpha",)
    assert "its module is that of the plugin alpha" in plugins.state("beta").reason
    plugins.enable("beta")
    assert plugins.host.enabled() == ("beta",)


def test_a_plugin_upgraded_on_disk_asks_for_a_restart(plugins):
    """An agent cannot import the new version beside the old, and does not pretend to."""
    plugins.add("alpha", version="1.0")
    plugins.enable("alpha")
    plugins.add("alpha", version="1.1")
    plugins.enable("alpha")
    assert plugins.state("alpha").version == "1.0"
    assert plugins.host.enabled() == ("alpha",)
    plugins.enable()
    plugins.enable("alpha")
    told = (
        "axoneme-alpha 1.1 is installed, but this agent has imported axoneme-alpha 1.0: restart it"
    )
    assert plugins.state("alpha").reason == told


def test_a_plugin_corrected_on_disk_asks_for_a_restart(plugins):
    """A plugin whose hooks were wrong was imported, too, and its faults are of the old version."""
    rejection(plugins, f"{HOOK}axoneme_metrix(): ...", version="1.0")
    plugins.add("bad", version="1.1")
    plugins.enable("bad", "good")
    assert plugins.state("bad").reason.endswith("imported axoneme-bad 1.0: restart it")


def test_a_rejected_plugin_gets_another_chance_with_the_next_configuration(plugins):
    """What was wrong may have been put right meanwhile."""
    rejection(plugins, requires=())
    plugins.add("bad")
    assert plugins.enable("bad", "good").added == ("bad",)


def test_a_rejection_is_logged_once(plugins, caplog):
    """A reload that changes nothing repeats nothing."""
    rejection(plugins, requires=())
    plugins.enable("bad", "good")
    assert caplog.text.count("plugin bad is rejected") == 1
