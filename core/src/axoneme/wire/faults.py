# SPDX-License-Identifier: Apache-2.0
"""What is wrong in a manifest, collected: a reader hears of all of it at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field, frozen

from axoneme.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Fields of mappings and indices of lists, from the top of the document.
Path: TypeAlias = tuple[str | int, ...]

_PLACE = re.compile(r"(?P<file>.*):(?P<line>\d{1,9})", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@frozen
class Fault:
    """A sentence about the field at a path."""

    path: Path
    message: str
    nearest: str | None = None


def dotted(path: Path) -> str:
    """Return a path as people write it: spec.ingress[0].fromEndpoints."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _PLAIN.fullmatch(part) else f'"{part}"')
    return text


@define
class Faults:
    """The faults of one document, which `where` names as FILE:LINE."""

    where: str
    found: list[Fault] = field(factory=list)

    def add(self, path: Path, message: str, nearest: str | None = None) -> None:
        """Note that something is wrong."""
        self.found.append(Fault(path, message, nearest))

    def problems(self) -> Iterator[Problem]:
        """Yield them as a reader finds them: by file, line and field."""
        place = _PLACE.fullmatch(self.where)
        file, line = (place["file"], int(place["line"])) if place else (self.where, 0)
        for fault in self.found:
            yield Problem(dotted(fault.path), file, line, fault.message, fault.nearest)
