# SPDX-License-Identifier: Apache-2.0
"""The text of a configuration, wherever it comes from, and the problems found in it."""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import frozen

from axoneme.config._lines import key_lines, statements
from axoneme.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.config._lines import KeyPath


_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class Fault:
    """One thing that is wrong at a key, before it is known on which line the key is."""

    path: KeyPath
    message: str
    nearest: str | None = None


@frozen
class Document:
    """A parsed TOML text; `name` says in errors where the text is from."""

    name: str
    text: str
    table: dict[str, Any]

    @classmethod
    def parse(cls, text: str, name: str) -> Document:
        """Parse a text, or raise ConfigError with the line that is no TOML."""
        try:
            return cls(name, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            message, line = _syntax(str(error), text)
        except RecursionError:
            message, line = "values are nested too deeply", 0
        except ValueError as error:  # a number of thousands of digits
            message, line = str(error), 0
        raise ConfigError([Problem("", name, line, message)])

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read and parse a file, or raise ConfigError."""
        try:
            content = path.read_bytes()
            return cls.parse(content.decode(), str(path))
        except OSError as error:
            message, line = f"cannot be read: {error.strerror}", 0
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            message = f"byte 0x{content[error.start]:02x} is no UTF-8"
        raise ConfigError([Problem("", str(path), line, message)])

    def problem(self, fault: Fault) -> Problem:
        """Add file and line to a fault: a key that is missing is missed where its table is."""
        line = self.line(fault.path)
        return Problem(dotted(fault.path), self.name, line, fault.message, fault.nearest)

    def line(self, path: KeyPath) -> int:
        """Return the line of a key, or of the innermost table that there is of its path; or 0."""
        lines = (self._lines.get(path[:n], 0) for n in range(len(path), 0, -1))
        return next(filter(None, lines), 0)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return key_lines(self.text)


def dotted(path: KeyPath) -> str:
    """Return a key as a reader of the file would write it: `portguard.rules[0].port`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = part if _BARE_KEY.fullmatch(part) else f'"{part}"'
            text += f".{bare}" if text else bare
    return text


def _syntax(sentence: str, text: str) -> tuple[str, int]:
    found = _POSITION.search(sentence)
    if found is None:
        return sentence, 0
    message = sentence[: found.start()]
    if found[1] is not None:
        return message, int(found[1])
    # What is missing at the end of the text is missing in the statement that runs up to it.
    return message, max((line for line, _ in statements(text)), default=0)
