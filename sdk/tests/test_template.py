# SPDX-License-Identifier: Apache-2.0
"""The template: what is written, under which names, and which names cannot be."""

from __future__ import annotations

import tomllib

import pytest

from axoneme_sdk import template
from axoneme_sdk.build import build_package
from axoneme_sdk.template import TemplateError


def test_few_files_are_written_with_the_name_in_them(tmp_path):
    """Eight at most; symbols and packages have _ where the name has -."""
    directory = tmp_path / "x"
    written = template.write("port-watch", directory)
    assert sorted(path.relative_to(directory).as_posix() for path in written) == [
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "src/axoneme_port_watch/__init__.py",
        "src/axoneme_port_watch/bpf/port_watch.bpf.c",
        "src/axoneme_port_watch/plugin.py",
        "tests/test_port_watch.py",
    ]
    for path in written:
        assert not {"@", "SYMBOL"} & set(path.read_text().replace("@hookimpl", "").split()), path


def test_the_plugin_is_for_the_releases_that_are_here(tmp_path):
    """It asks for this series of core and of the SDK, under its own name."""
    template.write("watch", tmp_path / "x")
    project = tomllib.loads((tmp_path / "x" / "pyproject.toml").read_text())
    assert project["project"]["name"] == "axoneme-watch"
    assert project["project"]["dependencies"] == ["axoneme>=0.1,<0.2"]
    assert project["build-system"]["requires"] == ["axoneme-sdk[build]>=0.1,<0.2"]
    points = project["project"]["entry-points"]["axoneme.plugins"]
    assert points == {"watch": "axoneme_watch.plugin"}


def test_the_plugin_builds(tmp_path):
    """And keeps the rules of the ABI."""
    template.write("port-watch", tmp_path / "x")
    built = build_package(tmp_path / "x" / "src" / "axoneme_port_watch")
    assert [path.name for path in built] == ["port_watch.bpf.o", "_codec.py"]


@pytest.mark.parametrize(
    "name", ["", "Watch", "1st", "a_b", "a--b", "-a", "a-", "a b", "ä", "../x"]
)
def test_a_name_that_is_none_is_refused(tmp_path, name):
    """Before anything is written."""
    with pytest.raises(TemplateError, match="is no name for a plugin: use small letters"):
        template.write(name, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_name_of_cores_own_is_refused(tmp_path):
    """The section [agent] is taken."""
    with pytest.raises(TemplateError, match="'agent' is a name of axoneme's own"):
        template.write("agent", tmp_path / "x")


@pytest.mark.parametrize("taken", ["port-watch", "port_watch"])
def test_a_name_that_is_taken_is_refused(tmp_path, taken):
    """Also where only its symbols would be the same."""
    with pytest.raises(TemplateError, match="a plugin 'port-watch' is installed"):
        template.write("port-watch", tmp_path / "x", taken=[taken])


def test_a_directory_that_exists_is_left_alone(tmp_path):
    """Even an empty one: nothing of anybody's is written over."""
    with pytest.raises(TemplateError, match="exists: name another with --directory"):
        template.write("watch", tmp_path)
    assert list(tmp_path.iterdir()) == []
