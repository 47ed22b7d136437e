# SPDX-License-Identifier: Apache-2.0
"""Reads a tutorial: the fenced blocks that have a title, in their order.

title="run"                         commands, one after another in one shell
title="run, and it fails"           the last command fails
title="prints"                      lines, each of which the run before has printed
title="prints, with other numbers"  the same, without numbers, months and names of devices
title="<path>"                      a file, written in the directory that the runs have come to
title="<path>, continued"           the next piece of that file
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.system.author import Author

RUN, FAILS, PRINTS = "run", "run, and it fails", "prints"
_CONTINUED = ", continued"
_FENCE = re.compile(r'^```(\w+) title="([^"\n]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
#: What stands between two pieces of a file.
_GAPS = {"python": "\n\n", "c": "\n"}
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_VARIES = re.compile(rf"\b(?:{_MONTHS})\b|\baxn[0-9a-f]+\b|\d+")


@frozen
class Block:
    """A fenced block with a title."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The blocks of a page."""
    return [Block(*found) for found in _FENCE.findall(page.read_text())]


def files(page: Iterable[Block]) -> dict[str, str]:
    """What files there are for who writes all that blocks show, by their paths."""
    written: dict[str, str] = {}
    for block in page:
        path = block.title.removesuffix(_CONTINUED)
        if path != block.title:
            written[path] += _GAPS[block.language] + block.text
        elif path not in (RUN, FAILS, PRINTS):
            written[path] = block.text
    return written


@define
class Reader:
    """Follows a tutorial as its reader does."""

    author: Author
    cwd: Path = field(init=False)
    output: str = field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        self.cwd = self.author.home

    def follow(self, block: Block) -> None:
        """Do what a block says, and see that it says the truth."""
        match block.title:
            case "run" | "run, and it fails":
                self._run(block.text, fails=block.title == FAILS)
            case "prints":
                self._compare(block.text, self.output)
            case "prints, with other numbers":
                self._compare(_VARIES.sub("", block.text), _VARIES.sub("", self.output))
            case title if title.endswith(_CONTINUED):
                path = self.cwd / title.removesuffix(_CONTINUED)
                path.write_text(path.read_text() + _GAPS[block.language] + block.text)
            case title:
                (self.cwd / title).write_text(block.text)

    def _run(self, commands: str, *, fails: bool) -> None:
        left = self.author.home.parent
        shell = f"cd {shlex.quote(str(self.cwd))}\n. {left}/exported\n{commands}"
        keep = f"trap 'pwd > {left}/cwd; export -p > {left}/exported' EXIT"
        (left / "exported").touch()
        result = self.author.attempt(f"{keep}\n{shell}")
        self.output = result.stdout
        assert (result.returncode != 0) == fails, f"{commands}\n{self.output}"
        self.cwd = Path((left / "cwd").read_text().strip())

    def _compare(self, expected: str, output: str) -> None:
        printed = " ".join(output.split())
        for line in expected.splitlines():
            assert " ".join(line.split()) in printed, f"{line!r} is not in\n{self.output}"
