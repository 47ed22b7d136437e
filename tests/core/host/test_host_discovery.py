# SPDX-License-Identifier: Apache-2.0
"""Which plugins the host finds, and that finding runs nothing of theirs."""

from __future__ import annotations

import os

import pytest

from axoneme.host import PluginHost, Status


def test_a_plugin_that_is_off_is_listed_and_never_imported(plugins):
    """An installed plugin which no configuration enables is shown as off, with its version."""
    plugins.add("alpha", "raise RuntimeError('imported')", version="2.3")
    plugins.enable()
    state = plugins.state("alpha")
    assert (state.status, state.distribution, state.version) == ("off", "axoneme-alpha", "2.3")
    assert not plugins.is_imported("alpha")


def test_an_enabled_plugin_is_on(plugins):
    """A plugin that fits and is enabled is on, without any section of its own."""
    plugins.add("alpha")
    plugins.enable("alpha")
    assert plugins.state("alpha").status is Status.ON
    assert plugins.host.enabled() == ("alpha",)


def test_an_enabled_plugin_that_is_not_installed_names_the_nearest(plugins):
    """A misspelled plugin is rejected with the name that was meant, and the rest runs."""
    plugins.add("portguard")
    plugins.add("beta")
    plugins.enable("portgard", "beta")
    assert plugins.state("portgard").status is Status.REJECTED
    assert "did you mean 'portguard'?" in plugins.state("portgard").reason
    assert plugins.host.enabled() == ("beta",)


def test_a_plugin_like_no_other_is_to_be_installed(plugins):
    """Without a near name, the reason says to install the plugin."""
    plugins.enable("zeta")
    assert "install the distribution" in plugins.state("zeta").reason


def test_a_plugin_installed_while_the_host_runs_is_found(plugins):
    """The next configuration sees what was installed since the last."""
    plugins.enable("alpha")
    plugins.add("alpha")
    change = plugins.enable("alpha")
    assert change.added == ("alpha",)


def test_a_plugin_uninstalled_while_it_is_on_stays_until_it_is_disabled(plugins):
    """What happens on disk does not disturb a plugin in use; disabled, it is gone."""
    plugins.add("alpha")
    plugins.enable("alpha")
    for file in plugins.path.glob("*.dist-info/*"):
        file.unlink()
    plugins.enable("alpha")
    assert plugins.host.enabled() == ("alpha",)
    plugins.enable()
    plugins.enable()
    assert plugins.host.plugins() == ()


def test_a_host_finds_the_distributions_on_the_path(plugins):
    """Without entry points given, the host walks what the interpreter itself can import."""
    plugins.add("alpha-real", distribution="axoneme-alpha-real")
    host = PluginHost(core_version="0.1.0")
    found = {state.name: state for state in host.plugins()}
    assert found["alpha-real"].distribution == "axoneme-alpha-real"


def test_a_plugin_installed_a_moment_ago_is_found_and_imported(plugins):
    """Files that are newer than the interpreter's view of their directory are seen."""
    host = PluginHost(core_version="0.1.0")
    before = plugins.path.stat()
    plugins.add("alpha-real")
    os.utime(plugins.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "alpha-real" in host.sections(("alpha-real",)).classes


def test_the_first_of_two_distributions_with_one_name_counts(plugins, tmp_path, monkeypatch):
    """A distribution that shadows another on the path shadows its plugin, too."""
    plugins.add("alpha-real", version="2.0")
    later = tmp_path / "later" / "axoneme_alpha_real-1.0.dist-info"
    later.mkdir(parents=True)
    (later / "METADATA").write_text("Name: axoneme-alpha.real\nVersion: 1.0\n")
    (later / "entry_points.txt").write_text("[axoneme.plugins]\nalpha-real = nothing\n")
    monkeypatch.syspath_prepend(later.parent)
    monkeypatch.syspath_prepend(tmp_path)
    host = PluginHost(core_version="0.1.0")
    states = [state for state in host.plugins() if state.name == "alpha-real"]
    assert [state.version for state in states] == ["2.0"]
    assert "alpha-real" in host.sections(("alpha-real",)).classes


def test_a_distribution_with_broken_metadata_disturbs_no_other(plugins, caplog):
    """A plugin whose metadata cannot be read is passed over and named in the log."""
    plugins.add("alpha-real")
    broken = plugins.path / "stranger-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_bytes(b"Version: 1.0\n")
    (broken / "entry_points.txt").write_text("[axoneme.plugins]\nstranger = nothing\n")
    host = PluginHost(core_version="0.1.0")
    assert "alpha-real" in {state.name for state in host.plugins()}
    assert "stranger" in caplog.text


@pytest.mark.parametrize("name", ["agent", "axoneme", "Alpha", "1st", "a__b"])
def test_a_plugin_has_a_name_fit_for_a_section(plugins, name):
    """A plugin with a name of core's, or one that is no prefix of symbols, is rejected."""
    plugins.add(name)
    plugins.enable(name)
    assert plugins.state(name).status is Status.REJECTED
    assert "rename the entry point" in plugins.state(name).reason
