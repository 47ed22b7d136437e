# SPDX-License-Identifier: Apache-2.0
"""`axoneme plugin`: what can be said of it without loading anything."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from attrs import asdict, evolve
from click.testing import CliRunner

from axoneme.cli._check_report import (
    ConstantReport,
    Loads,
    MapReport,
    ObjectReport,
    ProgramReport,
    Report,
    StageReport,
    describe_trunks,
)
from axoneme.cli._check_view import check_view
from axoneme.cli._project import build_project, is_project
from axoneme.cli.plugin import plugin_group
from axoneme.errors import AxonemeError

REPORT = Report(
    "mine",
    "axoneme-mine 1.0",
    "6.18.0",
    ("tc",),
    (
        ObjectReport(
            "mine.bpf.o",
            "libbpf",
            (StageReport("policy", ("mine",), ("tc", "mine"), 96, ("map_lookup_elem",)),),
            maps=(MapReport("mine_rows", "hash", 24, 8, 1024, 3, "0123456789abcdef"),),
            borrowed=("endpoints",),
            reasons=(ConstantReport("mine_closed", "Closed [by] mine", 2),),
            knobs=(ConstantReport("mine_limit", "How many", 4),),
        ),
        ObjectReport(
            "watch.c",
            "bcc",
            programs=(ProgramReport("watch", "raw_tp/sched_switch", 23),),
            maps=(MapReport("watched", "hash", 4, 8, 10240),),
        ),
    ),
    tuple(
        describe_trunks(
            Loads(instructions={"from_pod": 100}),
            Loads(instructions={"from_pod": 150, "xdp_ingress": 70}),
            Loads(instructions={"from_pod": 200}),
            Loads(instructions={"from_pod": 240, "xdp_ingress": 70}),
        )
    ),
)


def new(*words):
    """Run `axoneme plugin new`."""
    return CliRunner().invoke(plugin_group, ["new", *words])


def shown(report):
    """What the terminal shows, line by line and without spaces at their ends."""
    return [click.unstyle(line).rstrip() for line in check_view(asdict(report))]


def test_new_writes_a_plugin_beside_the_author(tmp_path, monkeypatch):
    """Into axoneme-NAME, and says which files."""
    monkeypatch.chdir(tmp_path)
    result = new("port-watch")
    assert result.exit_code == 0
    assert "axoneme-port-watch/src/axoneme_port_watch/plugin.py" in result.output.split()
    assert Path("axoneme-port-watch/pyproject.toml").is_file()


def test_new_writes_into_another_directory(tmp_path):
    """Where --directory says."""
    assert new("watch", "--directory", str(tmp_path / "a" / "b")).exit_code == 0
    assert (tmp_path / "a" / "b" / "pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tc", "a plugin 'tc' is installed: choose another name, or uninstall it"),
        ("Watch", "'Watch' is no name for a plugin: use small letters"),
        ("agent", "'agent' is a name of axoneme's own"),
    ],
)
def test_new_refuses_a_name_and_writes_nothing(tmp_path, name, sentence):
    """Taken, wrong, or reserved."""
    error = new(name, "--directory", str(tmp_path / "x")).exception
    assert isinstance(error, AxonemeError)
    assert str(error).startswith(sentence)
    assert not (tmp_path / "x").exists()


def test_new_leaves_what_exists_alone(tmp_path):
    """Even an empty directory."""
    error = new("watch", "--directory", str(tmp_path)).exception
    assert str(error) == f"{tmp_path} exists: name another with --directory"


def test_a_report_names_everything():
    """Each fact of each object stands in its line."""
    lines = shown(REPORT)
    assert lines[0] == "mine (axoneme-mine 1.0) on kernel 6.18.0, beside tc"
    assert lines[-1] == "nothing is wrong"
    words = [line.split() for line in lines]
    for line in (
        "policy mine tc, mine 96 B map_lookup_elem",
        "mine_rows hash 24 B 8 B 1024 3, 0123456789abcdef",
        "core's maps: endpoints",
        "mine_closed 2 Closed [by] mine",
        "mine_limit 4 How many",
        "watch raw_tp/sched_switch 23",
        "watched hash 4 B 8 B 10240 no codec",
        "from_pod 100 150 (+50) 200 240 (+40)",
        "xdp_ingress - 70 (+70) - 70 (+70)",
    ):
        assert line.split() in words


def test_problems_stand_last():
    """Where a terminal ends, each with its own mark."""
    lines = shown(evolve(REPORT, problems=("it is late", "it rains")))
    assert [line for line in lines if line][-2:] == ["wrong: it is late", "wrong: it rains"]
    assert "nothing is wrong" not in lines


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (None, "pyproject.toml cannot be read (No such file or directory): give the name of a"),
        ("[project\n", "pyproject.toml: Expected ']'"),
        ("[project]\nname = 'x'\n", "must have one plugin in [project.entry-points."),
        (
            "[project.entry-points.'axoneme.plugins']\na = 'a'\nb = 'b'\n",
            "must have one plugin in [project.entry-points.",
        ),
    ],
    ids=["no project", "no TOML", "no plugin", "two plugins"],
)
def test_a_directory_without_a_plugin_says_why(tmp_path, settings, sentence):
    """With the file that was looked for."""
    if settings is not None:
        (tmp_path / "pyproject.toml").write_text(settings)
    with pytest.raises(AxonemeError) as caught:
        build_project(tmp_path)
    assert sentence in str(caught.value)


def test_a_plugin_that_does_not_build_is_refused_with_the_compilers_words(tmp_path):
    """As the author would see them from the build."""
    new("watch", "--directory", str(tmp_path / "x"))
    source = tmp_path / "x" / "src" / "axoneme_watch" / "bpf" / "watch.bpf.c"
    source.write_text(source.read_text().replace("AXN_NEXT", "AXN_NIX"))
    with pytest.raises(AxonemeError, match="use of undeclared identifier 'AXN_NIX'"):
        build_project(tmp_path / "x")


def test_a_place_is_told_from_a_name(tmp_path, monkeypatch):
    """A directory of an author needs no ./ before it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "pyproject.toml").touch()
    assert [is_project(word) for word in (".", "./x", "/x", "watch", "tc")] == [True] * 4 + [False]
