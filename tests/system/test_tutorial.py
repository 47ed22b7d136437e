# SPDX-License-Identifier: Apache-2.0
"""The tutorial: it is followed to its end, and leads to the example."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.system.author import ROOT, Author
from tests.system.tutorial import FAILS, PRINTS, RUN, Reader, blocks

PAGE = ROOT / "docs" / "tutorial" / "first-plugin.md"
EXAMPLE = ROOT / "examples" / "axoneme-portguard"
_MADE = {"__pycache__", "_codec.py", "portguard.bpf.o", "dist", ".pytest_cache", "build"}


def content(directory: Path) -> dict[str, str]:
    """The files that people wrote, by their paths."""
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and not _MADE & set(path.relative_to(directory).parts)
    }


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory in which the tutorial ends."""
    author = Author(tmp_path_factory.mktemp("tutorial"))
    reader = Reader(author)
    for block in blocks(PAGE):
        reader.follow(block)
    return reader.cwd


@pytest.mark.timeout(900)
def test_the_tutorial_says_the_truth(followed):
    """Every command does what is said, and prints what is shown."""
    assert followed.name == "axoneme-portguard"
    assert (followed / "dist" / "axoneme_portguard-0.1.0-py3-none-any.whl").is_file()


def test_the_tutorial_leads_to_the_example(followed):
    """To the byte: who reads the one has the other."""
    assert content(followed) == content(EXAMPLE)


def test_every_file_of_the_example_is_shown():
    """But for the one that only tells git what is made."""
    titles = {block.title.removesuffix(", continued") for block in blocks(PAGE)}
    shown = titles - {RUN, FAILS, PRINTS, "wrong.toml"}
    assert shown | {".gitignore"} == {name for name, text in content(EXAMPLE).items() if text}


def test_the_example_is_under_100_lines():
    """All its files together."""
    lines = [line for text in content(EXAMPLE).values() for line in text.splitlines()]
    assert len(lines) < 100


def test_the_plugin_of_the_template_passes_its_own_test(tmp_path):
    """Under a name that C cannot have, built, tested and checked."""
    author = Author(tmp_path)
    author.run("axoneme plugin new port-watch")
    made = author.home / "axoneme-port-watch"
    assert len(content(made)) <= 8
    author.run("uv pip install --no-build-isolation -e .", cwd=made)
    assert "2 passed" in author.run("pytest", cwd=made)
    assert "nothing is wrong" in author.run("axoneme plugin check port-watch", cwd=made)
    again = author.attempt("axoneme plugin new port_watch || axoneme plugin new port-watch")
    assert "a plugin 'port-watch' is installed" in again.stdout
