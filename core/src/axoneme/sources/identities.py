# SPDX-License-Identifier: Apache-2.0
"""Identities in files: state/identities/<number>.json, in the form of CiliumIdentity.

A number is claimed by making its file, and labels by making their link to it: see _identity_links.
The link decides: who claimed a number and then finds the labels linked gives the number back.

Who asks for a number marks its file by the time, and looks at the link once more after that. What
has not been marked for long and no endpoint has is removed: the link first, and the file if nobody
has marked it until then. So one of the two sees the other, and a number is never taken from under
a pod that comes. freed/<number> keeps a number from meaning something else for a while: the maps of
a node whose agent is down still know the old meaning.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec
from attrs import frozen

from axoneme.errors import PoolExhausted, StateError
from axoneme.model.identity import FIRST_OF_LABELS, Identity
from axoneme.model.labels import Labels
from axoneme.sources._files import SUFFIX, claim_file, replace_file, try_lock
from axoneme.sources._identity_links import LAST_OF_LABELS, IdentityLinks, is_number
from axoneme.sources._reader import FilesReader
from axoneme.sources._resources import CiliumIdentity, Metadata, encode

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

    from axoneme.errors import Problem

_BY_LABELS, _FREED = "by-labels", "freed"
#: Held by the one agent that removes.
_LOCK = ".remove"
_UNUSED_SECONDS = 900.0
#: How long a number that was freed means nothing at all.
_REST_SECONDS = 3600.0
#: How often an identity that is asked for is marked as in use.
_MARK_SECONDS = 60.0


@frozen
class IdentitiesRead:
    """The identities of the cluster by number, and the files that say nothing usable."""

    identities: Mapping[int, Identity]
    problems: tuple[Problem, ...] = ()


class IdentityFiles:
    """The identities that the agents of a state directory have in common."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.by_labels, self.freed = directory / _BY_LABELS, directory / _FREED
        self._links = IdentityLinks(self.by_labels)
        self._reader = FilesReader(directory, _decode)
        self._known: dict[Labels, int] = {}
        self._unlinked: dict[Labels, int] | None = None

    def read(self) -> IdentitiesRead:
        """Every identity; a file that is wrong is named and left out."""
        files = self._reader.read()
        by_number = {identity.number: identity for identity in files.values.values()}
        return IdentitiesRead(dict(sorted(by_number.items())), files.problems)

    def of(self, labels: Labels) -> int:
        """Return the number of these labels, the same one for all agents.

        Raises:
            PoolExhausted: there is no number left.
            StateError: a file that nobody of us wrote is in the way, or none can be written.
        """
        number = self._links.number(labels)
        if number is None:
            number = self._claim(labels)
        elif self._known.get(labels) != number or not self._path(number).exists():
            self._restore(Identity(number, labels))
        if not self._is_fresh(number, _MARK_SECONDS):
            with suppress(FileNotFoundError):
                os.utime(self._path(number))
        if self._links.number(labels) != number:  # removed since it was looked at
            return self.of(labels)
        self._known[labels] = number
        return number

    def _restore(self, identity: Identity) -> None:
        """Write an identity's file again if it is gone or garbage: the link says what it was."""
        path = self._path(identity.number)
        found = self._labels(path)
        if found == identity.labels:
            return
        if found is not None:
            link = self._links.path(identity.labels)
            raise StateError(
                f"has the labels {found}, but {link} says {identity.labels}: remove the one that "
                "is wrong",
                file=str(path),
            )
        if path.exists():
            replace_file(path, _encode(identity))
        elif not claim_file(path, _encode(identity)):
            self._restore(identity)

    def _claim(self, labels: Labels) -> int:
        for number in self._candidates(labels):
            path = self._path(number)
            ours = claim_file(path, _encode(Identity(number, labels)))
            if not ours and self._labels(path) != labels:
                continue
            if self._links.claim(labels, number):
                return number
            linked = self._links.number(labels)
            if ours and linked != number:
                path.unlink(missing_ok=True)
            if linked is not None:
                self._restore(Identity(linked, labels))
                return linked
        raise PoolExhausted(
            f"remove those that no endpoint has from {self.directory} and {self.by_labels}",
            pool="of identities",
            size=LAST_OF_LABELS - FIRST_OF_LABELS + 1,
        )

    def _candidates(self, labels: Labels) -> Iterator[int]:
        """First a number that had the labels and no link at the start, then those that are free."""
        if self._unlinked is None:
            self._unlinked = {one.labels: n for n, one in self.read().identities.items()}
        if labels in self._unlinked:
            yield self._unlinked[labels]
        taken = set(self._taken())
        highest = max(taken, default=FIRST_OF_LABELS - 1)
        yield from range(highest + 1, LAST_OF_LABELS + 1)
        # A number that was removed may still be in some packet, so that it comes last.
        yield from (n for n in range(FIRST_OF_LABELS, highest) if n not in taken)

    def _taken(self) -> Iterator[int]:
        # In this order: a number is among those that are freed before its file goes.
        with os.scandir(self.directory) as entries:
            numbers = [entry.name.removesuffix(SUFFIX) for entry in entries]
        numbers += [path.name for path in self._freed()]
        return (int(number) for number in numbers if is_number(number))

    def _freed(self) -> list[Path]:
        return list(self.freed.iterdir()) if self.freed.is_dir() else []

    def remove_unused(
        self, used: Container[int], seconds: float = _UNUSED_SECONDS
    ) -> tuple[int, ...]:
        """Remove identities that no endpoint has and nobody has asked for in a while.

        One agent does it at a time. Labels that are asked for in the very moment keep their number
        or get another: what a number stands for never changes.
        """
        removed: list[int] = []
        with self._alone() as alone:
            for number, identity in self.read().identities.items() if alone else ():
                if number in used or self._is_fresh(number, seconds):
                    continue
                linked = self._links.number(identity.labels) == number
                if linked:
                    self._links.remove(identity.labels)
                if self._is_fresh(number, seconds):
                    if linked:
                        self._links.claim(identity.labels, number)
                    continue
                self._free(number)
                removed.append(number)
            if alone:
                self._end_rests()
        return tuple(removed)

    def _free(self, number: int) -> None:
        self.freed.mkdir(mode=0o700, exist_ok=True)
        (self.freed / str(number)).touch(mode=0o600)
        self._path(number).unlink(missing_ok=True)

    def _end_rests(self) -> None:
        now = time.time()
        for path in self._freed():
            if now - path.stat().st_mtime >= _REST_SECONDS:
                path.unlink()

    def _is_fresh(self, number: int, seconds: float) -> bool:
        try:
            return time.time() - self._path(number).stat().st_mtime < seconds
        except FileNotFoundError:
            return True

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether we are the one that removes."""
        lock = try_lock(self.directory / _LOCK)
        try:
            yield lock is not None
        finally:
            if lock is not None:
                os.close(lock)

    def _labels(self, path: Path) -> Labels | None:
        """The labels in a file; None if it is not there or says nothing usable."""
        try:
            return _decode(path, path.read_bytes()).labels
        except (OSError, ValueError, RecursionError):
            return None

    def _path(self, number: int) -> Path:
        return self.directory / f"{number}{SUFFIX}"


def _decode(path: Path, data: bytes) -> Identity:
    """Raises ValueError (msgspec's errors are), with the path of the field that is wrong."""
    resource = msgspec.json.decode(data, type=CiliumIdentity)
    if not is_number(path.stem):
        raise ValueError(f"{path.stem} is no identity from {FIRST_OF_LABELS} to {LAST_OF_LABELS}")
    if resource.metadata.name != path.stem:
        raise ValueError(f"is the file of {path.stem}, and speaks of {resource.metadata.name}")
    return Identity(int(path.stem), Labels.of(resource.security_labels))


def _encode(identity: Identity) -> bytes:
    return encode(CiliumIdentity(Metadata(str(identity.number)), dict(identity.labels.items())))
