# SPDX-License-Identifier: Apache-2.0
"""What a configuration does to the plugins: who comes, who leaves, who gets another chance."""

from __future__ import annotations

import pytest

from axoneme import ConfigError, PluginRejected
from axoneme.config import AgentConfig, Configuration
from axoneme.host import Change, Status

LIFE = """
@attrs.frozen
class Config:
    level: int = 1
@hookimpl
def axoneme_config(): return Config
@hookimpl
def axoneme_stop(config): calls.append(config.level)
@hookimpl
def axoneme_fill(config):
    if config.level > 5:
        raise ValueError("level is too high")
"""


def test_a_change_names_who_comes_who_leaves_and_who_is_told_anew(plugins):
    """The caller learns what it has to link, to unlink and to fill again."""
    for name in ("alpha", "beta", "gamma"):
        plugins.add(name, LIFE)
    plugins.enable("alpha", "beta")
    change = plugins.enable("beta", "gamma", sections="[beta]\nlevel = 2")
    assert change == Change(added=("gamma",), removed=("alpha",), changed=("beta",))


def test_the_same_configuration_changes_nothing(plugins):
    """A reload of an equal file is known to be none."""
    plugins.add("alpha", LIFE)
    plugins.enable("alpha", sections="[alpha]\nlevel = 2")
    assert not plugins.enable("alpha", sections="# the same\n[alpha]\nlevel = 2")


def test_a_plugin_that_is_disabled_is_stopped_once(plugins):
    """It gets the section that was in effect, and leaves."""
    plugins.add("alpha", LIFE)
    plugins.enable("alpha", sections="[alpha]\nlevel = 3")
    plugins.enable(sections="[alpha]\nlevel = 4")
    plugins.enable()
    assert plugins.module("alpha").calls == [3]
    assert plugins.state("alpha").status is Status.OFF


def test_what_a_plugin_raised_while_it_left_is_shown_until_it_comes_back(plugins):
    """A reload that does not concern the plugin does not hide its fault."""
    plugins.add("alpha", "@hookimpl\ndef axoneme_stop(): raise OSError('busy')")
    plugins.enable("alpha")
    plugins.enable()
    plugins.enable()
    assert plugins.state("alpha").reason == "raised OSError: busy in axoneme_stop"
    plugins.enable("alpha")
    assert plugins.state("alpha").reason == ""


def test_a_plugin_that_stays_is_not_stopped(plugins):
    """A new section is passed from now on, without a new life."""
    plugins.add("alpha", LIFE)
    plugins.enable("alpha")
    plugins.enable("alpha", sections="[alpha]\nlevel = 2")
    assert plugins.module("alpha").calls == []
    plugins.host.stop()
    assert plugins.module("alpha").calls == [2]


def test_a_refused_file_changes_nothing(plugins):
    """A plugin that a wrong file would have switched is as it was."""
    plugins.add("alpha", LIFE)
    plugins.add("beta", LIFE)
    plugins.enable("alpha")
    with pytest.raises(ConfigError, match=r"beta\.levl: unknown key"):
        plugins.enable("beta", sections="[beta]\nlevl = 2")
    assert plugins.host.enabled() == ("alpha",)
    assert plugins.state("beta").status is Status.OFF
    assert plugins.module("alpha").calls == []


def quarantine(plugins):
    plugins.add("alpha", LIFE)
    plugins.add("beta", LIFE)
    plugins.enable("alpha", "beta", sections="[alpha]\nlevel = 9")
    plugins.host.hooks.axoneme_fill(datapath=None)
    assert plugins.state("alpha").status is Status.QUARANTINED


def test_a_quarantined_plugin_stays_so_while_its_section_does(plugins):
    """Another plugin's settings are no reason to try again."""
    quarantine(plugins)
    change = plugins.enable("alpha", "beta", sections="[alpha]\nlevel = 9\n[beta]\nlevel = 2")
    assert change == Change(changed=("beta",))
    assert plugins.state("alpha").reason == "raised ValueError: level is too high in axoneme_fill"


def test_a_new_section_is_another_chance(plugins):
    """The user who corrects the section need not restart the agent."""
    quarantine(plugins)
    change = plugins.enable("alpha", "beta", sections="[alpha]\nlevel = 2")
    assert change == Change(added=("alpha",))
    assert plugins.host.hooks.axoneme_fill(datapath=None) == ("alpha", "beta")


def test_disabling_and_enabling_is_another_chance(plugins):
    """A plugin that left comes back as if it were new; in quarantine it is not even stopped."""
    quarantine(plugins)
    plugins.enable("beta")
    assert plugins.state("alpha").status is Status.OFF
    assert plugins.state("alpha").reason == ""
    assert plugins.module("alpha").calls == []
    assert plugins.enable("alpha", "beta", sections="[alpha]\nlevel = 9").added == ("alpha",)


def test_a_retry_is_another_chance(plugins):
    """A user may ask for one, with everything as it was."""
    quarantine(plugins)
    assert plugins.host.retry("alpha").status is Status.ON
    assert plugins.host.hooks.axoneme_fill(datapath=None) == ("beta",)
    assert plugins.state("alpha").status is Status.QUARANTINED


def test_a_retry_of_a_plugin_that_is_on_changes_nothing(plugins):
    """It is not stopped and started for it."""
    quarantine(plugins)
    assert plugins.host.retry("beta").status is Status.ON
    assert plugins.module("beta").calls == []


def test_a_retry_cannot_enable(plugins):
    """Which plugins are on is configuration."""
    plugins.add("alpha")
    with pytest.raises(PluginRejected, match="plugin alpha: is not enabled: add it to plugins"):
        plugins.host.retry("alpha")


def test_a_retry_cannot_make_up_settings(plugins):
    """A plugin put right after the file was read gets its section with the next reading."""
    plugins.add("alpha", LIFE, requires=())
    plugins.enable("alpha", sections="[alpha]\nlevel = 3")
    plugins.add("alpha", LIFE)
    state = plugins.host.retry("alpha")
    assert state.status is Status.REJECTED
    assert state.reason.endswith("its settings were not known: reload")
    assert plugins.enable("alpha", sections="[alpha]\nlevel = 3").added == ("alpha",)


def test_the_datapath_can_reject_a_plugin_that_was_on(plugins):
    """A plugin whose object does not fit leaves, with the datapath's reason."""
    plugins.add("alpha", LIFE)
    plugins.add("beta", LIFE)
    plugins.enable("alpha", "beta")
    plugins.host.reject("alpha", "the stage policy has 8 lanes, and all are taken")
    state = plugins.state("alpha")
    assert (state.status, state.version) == (Status.REJECTED, "1.0")
    assert state.reason == "the stage policy has 8 lanes, and all are taken"
    assert plugins.host.enabled() == ("beta",)
    assert plugins.module("alpha").calls == [1]


def test_a_plugin_that_the_datapath_rejected_comes_back_with_a_configuration(plugins):
    """Another plugin may have left the room that it needs."""
    plugins.add("alpha", LIFE)
    plugins.add("beta", LIFE)
    plugins.enable("alpha", "beta")
    plugins.host.reject("alpha", "no room")
    assert plugins.enable("alpha") == Change(added=("alpha",), removed=("beta",))


def test_hosts_share_nothing(plugins):
    """Two hosts in one process have states of their own."""
    from axoneme.host import PluginHost

    plugins.add("alpha", LIFE)
    plugins.enable("alpha")
    other = PluginHost(entry_points=plugins.entry_points, core_version="0.1.0")
    assert other.enabled() == ()
    assert plugins.host.enabled() == ("alpha",)


def test_a_configuration_made_by_hand_carries_the_sections(plugins):
    """Without its section a plugin is not switched on with settings that nobody chose."""
    plugins.add("alpha", LIFE)
    plugins.host.reconfigure(Configuration(AgentConfig(plugins=("alpha",))))
    assert plugins.state("alpha").status is Status.REJECTED
