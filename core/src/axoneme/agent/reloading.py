# SPDX-License-Identifier: Apache-2.0
"""The configuration's file while the agent runs: read again, and put in effect by one swap."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final

from attrs import define, field, fields

from axoneme.config import AgentConfig, Effect, read_config
from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from axoneme.sources.watcher import Watcher

    from .engine import Engine
    from .metrics import Measures
    from .notes import Notes

_log = logging.getLogger(__name__)
#: Seconds in which whoever writes the configuration in place may come to the end.
_SETTLE_SECONDS: Final = 0.05


@define
class Reloading:
    """Reads the configuration again, and lets those who have settings of it know.

    `objection` is asked before another one is in effect: with a sentence, the old one stays.
    """

    path: Path
    engine: Engine
    measures: Measures
    notes: Notes
    objection: Callable[[], str]
    followers: Sequence[Callable[[], object]]
    #: The text that was read last, whatever came of it.
    _text: bytes
    _came: str | AxonemeError = field(default="it is what the agent started with", init=False)
    #: The settings that this process started with.
    _first: AgentConfig = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Remember what was read at the start."""
        self._first = self.engine.configuration.agent

    async def run(self, watcher: Watcher) -> None:
        """Read the file again when it has changed, until it is cancelled.

        The watcher is one of its directory, since editors replace the file.
        """
        async with aclosing(aiter(watcher)) as changes:
            await self._take_over()
            async for _ in changes:
                await self._take_over()

    async def _take_over(self) -> None:
        if self._changed():
            await asyncio.sleep(_SETTLE_SECONDS)
            if self._changed():  # else somebody has had it read meanwhile: one swap is enough
                self.reload()

    def _changed(self) -> bool:
        """Whether there is another text; none at all is one that is being replaced or written."""
        try:
            text = self.path.read_bytes()
        except OSError:
            return False
        return bool(text) and text != self._text

    def reload(self) -> None:
        """Read the configuration again; what is wrong is noted."""
        with suppress(AxonemeError):
            self.reload_now()

    def reload_now(self, *, again: bool = True) -> str:
        """Read the configuration again; what came of it, for people.

        again: do so too if this text was the last to be read; else say what came of that.

        Raises:
            AxonemeError: it is refused, and the old one stays.
        """
        if again or self._changed():
            self._came = self._reload()
        if isinstance(self._came, AxonemeError):
            raise AxonemeError(str(self._came))
        return self._came

    def _reload(self) -> str | AxonemeError:
        try:
            self._text = self.path.read_bytes()
            configuration = read_config(self.path, self.engine.host)
            applied = self.engine.reconfigure(configuration, self.objection)
            self.measures.swapped(applied, len(self.engine.datapath.endpoints))
        except (AxonemeError, OSError) as error:
            return self._refuse(f"the configuration is refused, the old one stays: {error}")
        except Exception:
            self._text = b""  # it is tried once more
            raise
        for follow in self.followers:
            follow()
        if applied.swap is None:
            text = f"the swap is refused, the old datapath stays: {applied.refusal}"
            return self._refuse(text)
        self.notes.refused = ()
        self.notes.fixed = tuple(map(self.notes.note, self._fixed(configuration.agent)))
        text = f"swapped {applied.swap.updated} places in {applied.swap.seconds * 1e3:.1f} ms"
        _log.info("%s", text)
        self.notes.carried(applied.swap.carried)
        return text

    def _refuse(self, text: str) -> AxonemeError:
        """Note that the configuration on disk is not the one in effect."""
        self.notes.refused = (self.notes.note(text),)
        return AxonemeError(text)

    def _fixed(self, now: AgentConfig) -> Iterator[str]:
        """Name the keys that were changed and are read at the start only."""
        fixed = Effect.START.name
        keys = (f.name for f in fields(AgentConfig) if f.metadata.get("effect", fixed) == fixed)
        for key in (k for k in keys if getattr(self._first, k) != getattr(now, k)):
            name = f"agent.{key.replace('_', '-')}"
            yield f"{name} has changed: it takes effect when the agent is started again"
