# SPDX-License-Identifier: Apache-2.0
"""Changing one key of a file: the rest of it stays, and nothing wrong is ever written."""

from __future__ import annotations

import stat

import attrs
import pytest

from axoneme import AxonemeError, ConfigError
from axoneme.config import Sections
from axoneme.config.editing import ConfigFile

TEXT = """# the node of the attic
[agent]
plugins = ["guard"] # one is enough

[guard]
# kept low
level = 2
"""


@attrs.frozen
class Guard:
    """The settings of a plugin of these tests."""

    level: int = attrs.field(
        default=1,
        validator=attrs.validators.in_(range(10)),
        metadata={"aliases": ("guardian.level",)},
    )
    names: tuple[str, ...] = ()
    word: str = ""


class Source:
    """One plugin that is on, and one that is off."""

    def sections(self, enabled):
        on = {"guard": Guard} if "guard" in enabled else {}
        return Sections(on, frozenset({"guard", "bandwidth"} - on.keys()))


@pytest.fixture
def change(tmp_path):
    """A function that gives a key a value, or its default; it returns the new text."""
    path = tmp_path / "axoneme.toml"

    def changed(key, value=None, text=TEXT):
        path.write_text(text)
        file = ConfigFile.read(path, Source())
        setting = file.setting(key)
        file.write(file.without(setting) if value is None else file.with_value(setting, value))
        return path.read_text()

    return changed


def test_comments_and_order_stay(change):
    """Only the value is another."""
    assert change("guard.level", "3") == TEXT.replace("level = 2", "level = 3")
    assert change("agent.plugins", "guard,bandwidth") == TEXT.replace(
        '["guard"]', '["guard", "bandwidth"]'
    )


def test_a_key_that_is_taken_out_has_its_default(change):
    """Its line goes, and nothing else."""
    assert change("guard.level") == TEXT.replace("level = 2\n", "")


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("guard.names", "a,b", 'names = ["a", "b"]'),
        ("guard.names", '["a"]', 'names = ["a"]'),
        ("guard.names", "80", 'names = ["80"]'),
        ("guard.names", "", "names = []"),
        ("guard.word", "5", 'word = "5"'),
        ("guard.word", '"quoted"', 'word = "quoted"'),
        ("word", "a\nb = 3", 'word = "a\\nb = 3"'),
        ("agent.map-entries.conntrack", "9", "conntrack = 9"),
        ("bpf.mapDynamicSizeRatio", "0.5", "bpf-map-dynamic-size-ratio = 0.5"),
        ("agent.cgroup", "/sys/fs/cgroup/x", 'cgroup = "/sys/fs/cgroup/x"'),
    ],
)
def test_a_value_is_what_the_key_takes(change, key, value, line):
    """As people type it: TOML, or without its quotes and brackets."""
    assert line in change(key, value).splitlines()


def test_the_spelling_in_the_file_is_kept(change):
    """And what only it needed goes with it."""
    text = '[agent]\nplugins = ["guard"]\n[guardian]\nlevel = 4\n'
    assert "[guardian]\nlevel = 5" in change("guard.level", "5", text)
    assert change("guard.level", None, text) == '[agent]\nplugins = ["guard"]\n'


def test_a_file_that_is_not_there_is_made(tmp_path):
    """With the one key, in its section."""
    file = ConfigFile.read(tmp_path / "new" / "axoneme.toml", Source())
    file.write(file.with_value(file.setting("node-name"), "attic"))
    assert file.path.read_text() == '[agent]\nnode-name = "attic"\n'


def test_the_mode_stays_and_a_link_is_followed(change, tmp_path):
    """Whoever could read it still can, and where it really is, it is replaced."""
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    real.write_text(TEXT)
    real.chmod(0o640)
    link.symlink_to(real)
    file = ConfigFile.read(link, Source())
    file.write(file.with_value(file.setting("level"), "3"))
    assert link.is_symlink()
    assert "level = 3" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.toml", "real.toml"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("guard.level", "12", "guard.level: 'level' must be in range"),
        ("guard.level", "high", "guard.level: expected int, got str"),
        ("agent.routing-mode", "nativ", "did you mean 'native'?"),
    ],
)
def test_a_wrong_value_is_named_and_not_written(change, tmp_path, key, value, told):
    """With file, line, key and what would be right."""
    with pytest.raises(ConfigError) as caught:
        change(key, value)
    assert told in str(caught.value)
    assert (tmp_path / "axoneme.toml").read_text() == TEXT


def test_another_fault_of_the_file_is_named_too(change):
    """A half right file is not written either."""
    with pytest.raises(ConfigError, match="uplinks"):
        change("guard.level", "3", TEXT.replace("plugins", "uplinks = 3\nplugins"))


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("guard.levle", "did you mean 'guard.level'?"),
        ("bandwidth.limit", "the plugin bandwidth, which is off"),
        ("enable-ipsec", "install axoneme-encryption"),
    ],
)
def test_an_unknown_key_comes_with_the_nearest_or_with_its_plugin(change, key, told):
    """Before anything is looked at."""
    with pytest.raises(AxonemeError, match=key) as caught:
        change(key, "1")
    assert told in str(caught.value)


def test_a_value_says_where_it_is_from(tmp_path):
    """The line and the spelling, or nothing for a default."""
    path = tmp_path / "axoneme.toml"
    path.write_text(TEXT)
    file = ConfigFile.read(path, Source())
    found = file.value(file.setting("guard.level"))
    assert (found.value, found.line, found.written) == (2, 7, ("guard", "level"))
    assert file.value(file.setting("guard.word")).written == ()
