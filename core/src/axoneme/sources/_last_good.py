# SPDX-License-Identifier: Apache-2.0
"""What files said when they were last right: kept for readers that start while one is wrong."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.errors import Problem, StateError
from axoneme.sources._files import remove_forgotten_drafts, replace_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


@define
class LastGood:
    """Copies of the files of one reader, by their names, in a directory of its own.

    `problems` are those of the copies that could not be written.
    """

    directory: Path
    _problems: dict[str, Problem] = field(factory=dict, init=False)
    _digests: dict[str, bytes] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        remove_forgotten_drafts(self.directory)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why some files would not be known if they broke while no agent runs."""
        return tuple(self._problems.values())

    def remember(self, name: str, data: bytes) -> None:
        """Keep what a file says, which is right; nothing is written if it is kept already."""
        digest = sha256(data).digest()
        if self._digests.get(name) == digest:
            return
        try:
            if self.recall(name) != data:
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace_file(self.directory / name, data)
        except (OSError, StateError) as error:
            self._problems[name] = Problem("", str(self.directory / name), 0, str(error))
            return
        self._problems.pop(name, None)
        self._digests[name] = digest

    def recall(self, name: str) -> bytes | None:
        """Return what a file said, None if that is not known."""
        try:
            return (self.directory / name).read_bytes()
        except OSError:
            return None

    def names(self) -> Iterable[str]:
        """The files that are known, in order."""
        if not self.directory.is_dir():
            return ()
        return sorted(path.name for path in self.directory.iterdir() if path.name[0] != ".")

    def forget_others(self, present: Collection[str]) -> None:
        """Forget files that are gone: somebody has withdrawn them."""
        for name in self.names():
            if name not in present:
                (self.directory / name).unlink(missing_ok=True)
                self._digests.pop(name, None)
                self._problems.pop(name, None)
