# SPDX-License-Identifier: Apache-2.0
"""Other spellings of keys, and keys of plugins that are not there."""

from __future__ import annotations

import attrs
import pytest

from axoneme import ConfigError
from axoneme.config import Effect, Sections, parse_config, settings_of


@attrs.frozen
class Inner:
    """A table in a section."""

    size: int = attrs.field(default=1, metadata={"aliases": ("guard.innerSize",)})


@attrs.frozen
class Guard:
    """The settings of a plugin of these tests."""

    enabled: bool = attrs.field(
        default=False, metadata={"aliases": ("enable-guard", "guardian.enabled")}
    )
    mode: str = attrs.field(default="soft", metadata={"effect": "RELOAD"})
    inner: Inner = Inner()


@attrs.frozen
class Rival:
    """Another plugin, which claims a spelling of the first."""

    on: bool = attrs.field(default=False, metadata={"aliases": ("enable-guard",)})


@attrs.frozen
class Flat:
    """A third one: a key of it is spelled as its section is called."""

    mode: str = attrs.field(default="soft", metadata={"aliases": ("flat",)})
    size: int = 1


class Source:
    """The plugins guard, rival and flat, installed; ipam is installed too, and cannot be used."""

    classes = {"guard": Guard, "rival": Rival, "flat": Flat}  # noqa: RUF012 - never changed

    def sections(self, enabled):
        on = {name: kind for name, kind in self.classes.items() if name in enabled}
        return Sections(on, frozenset({"guard", "rival", "ipam"} - on.keys()))


def read(text, plugins=("guard",)):
    """Read a text with these plugins on; return their sections, or the problems."""
    names = ", ".join(f'"{name}"' for name in plugins)
    try:
        configuration = parse_config(
            f"{text}\n[agent]\nplugins = [{names}]\n", Source(), name="file"
        )
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return configuration.sections


@pytest.mark.parametrize(
    "text", ["enable-guard = true", "guardian.enabled = true", "[guardian]\nenabled = true"]
)
def test_a_key_has_other_spellings(text):
    """Flat, dotted, or in a table of their own."""
    assert read(text)["guard"].enabled is True


def test_a_spelling_may_stand_in_a_section_and_mean_a_table_in_it():
    """It is taken out of where it stands; what else stands there stays."""
    assert read('[guard]\ninnerSize = 7\nmode = "hard"')["guard"] == Guard(False, "hard", Inner(7))


def test_core_has_spellings_without_any_plugin():
    """The share of memory that maps may take, and tables in tables: what is told of packets."""
    text = "[bpf]\nmapDynamicSizeRatio = 0.01\n[bpf.events]\ntrace.enabled = false\n"
    text += "[bpf.events.default]\nrateLimit = 10\nburstLimit = 20\n"
    agent = parse_config(text, Source(), name="file").agent
    assert agent.bpf_map_dynamic_size_ratio == 0.01
    assert agent.bpf_events_trace_enabled is False
    assert (agent.bpf_events_default_rate_limit, agent.bpf_events_default_burst_limit) == (10, 20)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "enable-guard = true\n[guard]\nenabled = true",
            "file:1: enable-guard: is guard.enabled, which is given too: keep one",
        ),
        (
            "enable-guard = true\nguardian.enabled = true",
            "file:2: guardian.enabled: is enable-guard, which is given too: keep one",
        ),
    ],
)
def test_a_key_that_is_given_twice_names_both_spellings(text, told):
    """Nobody has to guess which of them counts."""
    assert read(text) == [told]


def test_what_is_wrong_with_a_value_is_told_of_the_spelling_in_the_file():
    """Its line, and its name as it is written there."""
    assert read("\nguardian.enabled = 3") == ["file:2: guardian.enabled: expected bool, got int"]


def test_a_spelling_that_two_plugins_claim_is_of_neither():
    """Whoever writes it has to say which is meant."""
    (problem,) = read("enable-guard = true", plugins=("guard", "rival"))
    assert "guard.enabled" in problem
    assert "rival.on" in problem
    assert read("", plugins=("guard", "rival"))["rival"] == Rival()


@pytest.mark.parametrize("text", ['flat = "hard"', '[flat]\nmode = "hard"', 'flat.mode = "hard"'])
def test_a_spelling_may_be_the_name_of_the_section(text):
    """A table of that name is the section, and what is no table is the key."""
    assert read(text, plugins=("flat",))["flat"] == Flat("hard")


def test_a_spelling_goes_with_its_plugin():
    """Without the plugin it is a word that nobody knows."""
    assert read("enable-guard = true", plugins=()) == [
        "file:1: enable-guard: no plugin of this name is installed"
    ]


def test_a_misspelled_spelling_comes_with_the_nearest():
    """As any key does."""
    assert read("guardian.enable = true") == [
        "file:1: guardian.enable: unknown key; did you mean 'guardian.enabled'?"
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bandwidthManager.enabled = true", "install axoneme-bandwidth, and add it to agent"),
        ("enable-bandwidth-manager = true", "the plugin bandwidth, which is not installed"),
        ("hubble.relay.enabled = true", "file:1: hubble.relay: is a key of the plugin hubble"),
        (
            "cluster.name = 'a'\ncluster.id = 1",
            "file:2: cluster.id: is a key of the plugin",
        ),
        ("enableIPv4Masquerade = false", "file:1: enableIPv4Masquerade: is a key of the plugin tc"),
        ("[encryption]\ntype = 'ipsec'", "file:2: encryption.type: is a key of the plugin"),
    ],
)
def test_a_key_of_a_plugin_that_is_not_there_names_it(text, told):
    """And what is to be done."""
    (problem,) = read(text)
    assert told in problem


def test_a_plugin_that_is_rejected_makes_its_keys_no_problem():
    """Why it cannot be used is told elsewhere, and the rest runs."""
    assert read("ipam.mode = 'kubernetes'", plugins=("guard", "ipam")) == {"guard": Guard()}
    assert read("enable-bandwidth-manager = true", plugins=("guard", "bandwidth")) == {
        "guard": Guard()
    }


def test_a_section_that_is_no_table_is_the_only_fault():
    """The spelling of a key in it is right."""
    (problem,) = read("guard = 3\nenable-guard = true")
    assert "expected a table" in problem


def test_keys_say_what_a_change_of_them_needs():
    """Sections of plugins are swapped in, core's is read at the start, a field may say other."""
    effects = {s.key: s.effect for s in settings_of("guard", Guard)}
    assert effects == {
        "guard.enabled": Effect.SWAP,
        "guard.mode": Effect.RELOAD,
        "guard.inner.size": Effect.SWAP,
    }
    assert {s.effect for s in settings_of("agent", Inner)} == {Effect.START}
