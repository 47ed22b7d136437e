# SPDX-License-Identifier: Apache-2.0
"""Directories watched by name: an agent hears at once which of them to read again.

Nothing waits for more changes to come: those that come while one is worked on are told together.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from axoneme.sources._inotify import (
    DELETE_SELF,
    IGNORED,
    MOVE_SELF,
    Q_OVERFLOW,
    Inotify,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path
    from types import TracebackType

    from axoneme.sources._inotify import Event

#: Where a ConfigMap's files really are; it is moved when they change.
_DATA = "..data"
_RETRY_SECONDS = 1.0
_GONE = DELETE_SELF | MOVE_SELF | IGNORED


class Watcher:
    """Tells which of some directories have changed, in an event loop.

        with Watcher({"manifests": ..., "nodes": ...}) as watcher:
            async for changed in watcher:  # {"manifests"}

    What happens from `with` on is told: so read once after it. A directory that is not there, or
    goes, is looked for again each second, and told of when it comes. Two names may have one
    directory.
    """

    def __init__(self, directories: Mapping[str, Path]) -> None:
        self.directories = dict(directories)
        self._watches: dict[int, set[str]] = {}
        self._missing: set[str] = set()
        self._changed: set[str] = set()

    def __enter__(self) -> Self:
        self._inotify = Inotify()
        self._look_for(set(self.directories))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._inotify.close()

    async def __aiter__(self) -> AsyncGenerator[frozenset[str], None]:
        loop = asyncio.get_running_loop()
        awake = asyncio.Event()
        loop.add_reader(self._inotify, awake.set)
        try:
            while True:
                awake.clear()
                self._collect()
                if self._changed:
                    changed, self._changed = frozenset(self._changed), set()
                    yield changed
                    continue
                await self._wait(awake)
        finally:
            loop.remove_reader(self._inotify)

    async def _wait(self, awake: asyncio.Event) -> None:
        if not self._missing:
            await awake.wait()
            return
        try:
            # Not by wait_for: Python 3.11's loses a cancellation that comes with the event.
            async with asyncio.timeout(_RETRY_SECONDS):
                await awake.wait()
        except TimeoutError:
            self._changed |= self._look_for(self._missing)

    def _look_for(self, names: set[str]) -> set[str]:
        """Watch directories; those that are there."""
        found = set()
        for name in sorted(names):
            try:
                watch = self._inotify.watch(self.directories[name])
            except OSError:
                self._missing.add(name)
                continue
            self._watches.setdefault(watch, set()).add(name)
            found.add(name)
        self._missing -= found
        return found

    def _collect(self) -> None:
        for event in self._inotify.events():
            if event.mask & Q_OVERFLOW:
                self._changed |= set(self.directories)
            elif event.mask & _GONE:
                self._lose(event.watch)
            elif _counts(event):
                self._changed |= self._watches.get(event.watch, set())

    def _lose(self, watch: int) -> None:
        """A directory has gone, or is another one now: look whether there is one of its name."""
        names = self._watches.pop(watch, set())
        self._inotify.unwatch(watch)
        self._changed |= names
        self._look_for(names)


def _counts(event: Event) -> bool:
    """Whether a reader may find something new: a draft it would pass over."""
    return not event.name.startswith(".") or event.name == _DATA
