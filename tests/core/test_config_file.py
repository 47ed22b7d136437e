# SPDX-License-Identifier: Apache-2.0
"""A whole configuration: sections, files, and errors that say where."""

from __future__ import annotations

import pickle
from pathlib import Path

import attrs
import pytest

from axoneme import ConfigError, Problem
from axoneme.config import AgentConfig, MapEntries, Sections, parse_config, read_config


@attrs.frozen
class Guard:
    """The settings of a plugin of these tests."""

    closed: tuple[str, ...] = ()
    level: int = attrs.field(default=1, validator=attrs.validators.ge(0))


@attrs.frozen
class Strict:
    """Settings without defaults."""

    name: str


class Source:
    """Two plugins that can be on, and two that cannot."""

    classes = {"portguard": Guard, "strict": Strict}  # noqa: RUF012 - never changed

    def sections(self, enabled):
        on = {name: kind for name, kind in self.classes.items() if name in enabled}
        return Sections(on, frozenset({"portguard", "strict", "tc", "broken"} - on.keys()))


def problems(text, name="axoneme.toml"):
    """Return what is wrong with a text."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, Source(), name=name)
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_text_is_a_configuration():
    """Everything has a default, and no plugin is on."""
    configuration = parse_config("", Source(), name="nothing")
    assert configuration.agent == AgentConfig()
    assert configuration.agent.plugins == ()
    assert dict(configuration.sections) == {}
    assert configuration.path is None


def test_a_file_is_read_with_its_sections(tmp_path):
    """Core's section and those of the plugins that are on become their classes."""
    path = tmp_path / "axoneme.toml"
    path.write_text(
        '[agent]\nplugins = ["portguard"]\ncgroup = "/sys/fs/cgroup/x"\nuplinks = ["eth1"]\n'
        'map-entries = { endpoints = 10 }\n[portguard]\nclosed = ["10.0.1.2:8080/tcp"]\n'
    )
    configuration = read_config(path, Source())
    assert configuration.path == path
    assert configuration.agent.cgroup == Path("/sys/fs/cgroup/x")
    assert configuration.agent.uplinks == ("eth1",)
    assert configuration.agent.map_entries == MapEntries(endpoints=10)
    assert configuration.sections == {"portguard": Guard(("10.0.1.2:8080/tcp",))}


def test_a_plugin_without_a_section_has_its_defaults():
    """A section may be left out where no key is required."""
    configuration = parse_config("agent.plugins = ['portguard']", Source(), name="x")
    assert configuration.sections == {"portguard": Guard()}


def test_an_empty_cgroup_is_none():
    """Socket trunks are attached nowhere when no directory is given."""
    assert parse_config("agent.cgroup = ''", Source(), name="x").agent.cgroup is None


def test_every_problem_of_a_file_is_listed_with_its_line():
    """One reading shows all there is to correct, in the order of the lines."""
    text = """\
# first
[agent]
plugins = [
    "portguard",
    "strict",
]
bpfs = "/sys/fs/bpf"
state-dir = 5
map-entries = { endpoints = 0 }

[portguard]
closed = [
    "a",
    7,
]
level = -1

[portgard]
"""
    assert problems(text) == [
        "axoneme.toml: strict.name: is missing and has no default",
        "axoneme.toml:7: agent.bpfs: unknown key; did you mean 'bpffs'?",
        "axoneme.toml:8: agent.state-dir: expected a string, got an integer",
        "axoneme.toml:9: agent.map-entries.endpoints: must be 1 to 4294967295, not 0",
        "axoneme.toml:12: portguard.closed[1]: expected str, got int",
        "axoneme.toml:16: portguard.level: 'level' must be >= 0: -1",
        "axoneme.toml:18: portgard: no plugin of this name is installed; did you mean 'portguard'?",
    ]


def test_a_key_in_another_section_is_told_where_it_belongs():
    """In a section that is there, or in that of a plugin which is not on."""
    (told,) = problems("agent.plugins = ['portguard']\n[portguard]\nstate-dir = '/x'\n")
    assert told == "axoneme.toml:3: portguard.state-dir: is a key of [agent]: write it there"
    (told,) = problems("[agent]\nlevel = 1\nplugins = ['portguard']\n")
    assert told == "axoneme.toml:2: agent.level: is a key of [portguard]: write it there"
    (told,) = problems("[agent]\ncluster-pool-ipv4-cidr = ['10.0.0.0/8']\n")
    assert "is a key of the plugin ipam, which is not installed" in told


def test_a_missing_key_is_missed_where_its_section_is():
    """The line is that of the table that should have had the key."""
    (told,) = problems("agent.plugins = ['strict']\n\n[strict]\n# empty\n")
    assert told == "axoneme.toml:3: strict.name: is missing and has no default"


def test_lines_are_right_with_dotted_keys_and_carriage_returns():
    """However a key is written, its statement's first line is named."""
    text = (
        'agent.plugins = [\r\n]\r\n\r\nagent.map-entries.endpoint = 1 # one\r\nagent.x = """\r\n"""'
    )
    assert [told.split(": ")[0] for told in problems(text)] == ["axoneme.toml:4", "axoneme.toml:5"]


def test_a_section_of_a_plugin_that_is_off_is_not_checked():
    """What is kept for later, or belongs to a plugin that was rejected, may be anything."""
    parse_config("[portguard]\nlevle = 1\n[broken]\nx = 1", Source(), name="x")


def test_a_section_of_an_enabled_plugin_that_is_missing_is_not_a_second_fault():
    """A plugin that is not installed is rejected by the host; its section may stay."""
    parse_config("agent.plugins = ['zeta']\n[zeta]\nx = 1", Source(), name="x")


def test_a_section_must_be_a_table():
    """Even of a plugin that is off."""
    assert problems("tc = 1\nagent = 2") == [
        "axoneme.toml:1: tc: must be a table",
        "axoneme.toml:2: agent: expected a table, got an integer",
    ]


def test_a_key_of_core_outside_of_its_section_is_sent_there():
    """A key above the first header is the commonest mistake of TOML."""
    (told,) = problems('plugins = ["tc"]')
    assert told == "axoneme.toml:1: plugins: is a key of [agent]: write it below that line"


def test_plugins_are_checked_even_if_core_has_a_problem():
    """A wrong key of core does not hide the wrong keys of the plugins."""
    text = "[agent]\nplugins = ['portguard', 'portguard']\n[portguard]\nx = 1\n"
    assert [told.split(": ")[1] for told in problems(text)] == ["agent.plugins", "portguard.x"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("bpffs = 'sys'", "bpffs: must be an absolute path, not 'sys'"),
        ("cgroup = 'x'", "cgroup: must be an absolute path, not 'x'"),
        ("uplinks = ['a b']", "uplinks: 'a b' is no name of a device"),
        ("uplinks = ['a', 'a']", "uplinks: has 'a' more than once"),
        ("plugins = 'tc'", "plugins: expected an array, got a string"),
        ("plugins = [1]", "plugins[0]: expected str, got int"),
        (
            "map-entries.events = 5000",
            "map-entries.events: must be a power of two from 4096 to 1073741824, not 5000",
        ),
        ("monitor-buffer = -1", "monitor-buffer: must be 0 to 16777216, not -1"),
        (
            "bpf-events-default-burst-limit = -1",
            "bpf-events-default-burst-limit: must be 0 to 1000000000, not -1",
        ),
    ],
)
def test_core_checks_its_own_keys(line, told):
    """A value that could not work is refused when it is read."""
    assert problems(f"[agent]\n{line}") == [f"axoneme.toml:2: agent.{told}"]


@pytest.mark.parametrize("key", ["rate", "burst"])
def test_a_rate_of_events_goes_with_a_burst(key):
    """One without the other would let nothing pass, or everything."""
    (told,) = problems(f"[agent]\nbpf-events-default-{key}-limit = 10")
    assert "bpf-events-default-rate-limit and bpf-events-default-burst-limit need" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = 1\nb = ", ":2: Invalid value"),
        ("a = 1\n\nb 2\nc = 3", ":3: Expected '=' after a key"),
        ("a = [\n1,\n\n", ":1: Invalid value"),
        ('x = 1\na = """\n\n[b]\n', ":2: Unterminated string"),
        ("a = 1\n\na = 2", ":3: Cannot overwrite a value"),
        ("a = 1\n\na = 2\n# end\n", ":3: Cannot overwrite a value"),
        ("[a]\n[a]\nx = 1", ":2: Cannot declare"),
        ("a = " + "[" * 9999, ": values are nested too deeply"),
        ("a = " + "1" * 5000, ": Exceeds the limit"),
    ],
)
def test_a_text_that_is_no_toml_names_the_line(text, told):
    """The parser's sentence is kept, and its place becomes the line of the statement."""
    (problem,) = problems(text)
    assert problem.startswith(f"axoneme.toml{told}")


def test_a_file_that_is_not_there_says_so(tmp_path):
    """The path is named."""
    with pytest.raises(ConfigError, match=r"no\.toml: cannot be read: No such file"):
        read_config(tmp_path / "no.toml", Source())


def test_a_directory_is_no_file(tmp_path):
    """What the system says is passed on."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_config(tmp_path, Source())


def test_a_byte_that_is_no_utf8_is_on_a_line(tmp_path):
    """A file in another encoding is refused where it shows."""
    path = tmp_path / "x.toml"
    path.write_bytes(b"[agent]\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"x\.toml:2: byte 0xe9 is no UTF-8"):
        read_config(path, Source())


def test_another_origin_is_named_in_errors():
    """A configuration from elsewhere, such as a ConfigMap, reports that instead of a file."""
    (told,) = problems("x = 1", name="configmap kube-system/axoneme")
    assert told.startswith("configmap kube-system/axoneme:1: x: ")


def test_a_configuration_error_is_a_value_error_with_its_problems():
    """Programs read the problems, and the error survives being sent to another process."""
    error = pickle.loads(pickle.dumps(ConfigError([Problem("a.b", "f", 3, "is wrong", "a.c")])))
    assert isinstance(error, ValueError)
    assert error.problems[0].line == 3
    assert str(error) == "f:3: a.b: is wrong; did you mean 'a.c'?"


def test_sections_cannot_be_changed():
    """A configuration is a value."""
    configuration = parse_config("agent.plugins = ['portguard']", Source(), name="x")
    with pytest.raises(TypeError):
        configuration.sections["portguard"] = None
