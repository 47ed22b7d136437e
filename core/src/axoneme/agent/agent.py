# SPDX-License-Identifier: Apache-2.0
"""The agent process: it reads its configuration, links, attaches, and swaps when that changes.

It ends on SIGTERM or SIGINT and leaves everything attached; the next agent finds it by its pins.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING

from attrs import define, field, fields

from axoneme.config import AgentConfig, read_config
from axoneme.errors import AxonemeError
from axoneme.sources import EmbeddedSource

from .endpoints import sync_endpoints
from .engine import Engine
from .server import serve
from .status import describe, exposition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)
#: Seconds between two looks at whether everything still is as we left it.
_REPAIR_PERIOD = 10.0
_KEPT_PROBLEMS = 16


@define
class Agent:
    """One node's agent."""

    config_path: Path
    engine: Engine
    source: EmbeddedSource
    started: float = field(factory=time.time, init=False)
    problems: list[str] = field(factory=list, init=False)
    _config_text: bytes = field(default=b"", init=False)
    _stopped: asyncio.Event = field(factory=asyncio.Event, init=False)

    @classmethod
    def start(cls, config_path: Path) -> Agent:
        """Read the configuration and put the datapath and all known endpoints in effect.

        Raises:
            AxonemeError: the configuration is wrong, or this is no place for a datapath.
        """
        text = config_path.read_bytes() if config_path.exists() else b""
        engine = Engine.open(lambda host: read_config(config_path, host))
        agent = cls(config_path, engine, EmbeddedSource(engine.configuration.agent.state_dir))
        agent._config_text = text
        agent.source.create()
        agent.sync()
        stale = engine.forget_others()
        if stale:
            _log.info("removed what an earlier agent left: %s", ", ".join(stale))
        return agent

    async def run(self) -> None:
        """Watch, serve and repair until a signal ends it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        run_dir = self.engine.configuration.agent.run_dir
        async with serve(run_dir, self._methods()):
            tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._repair())]
            _log.info("ready: %d endpoints", len(self.engine.datapath.endpoints))
            await self._stopped.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.engine.close()

    def _methods(self) -> Mapping[str, object]:
        return {
            "status": lambda: describe(self),
            "metrics": lambda: exposition(self.engine),
            "reload": self.reload,
            "retry": self.retry,
        }

    def reload(self) -> str:
        """Read the configuration again; what came of it, for people."""
        try:
            self._config_text = self.config_path.read_bytes()
            before = self.engine.configuration.agent
            configuration = read_config(self.config_path, self.engine.host)
            applied = self.engine.reconfigure(configuration)
        except (AxonemeError, OSError) as error:
            return self._note(f"the configuration is refused, the old one stays: {error}")
        self._note_fixed(before, configuration.agent)
        if applied.swap is None:
            return self._note(f"the swap is refused, the old datapath stays: {applied.refusal}")
        text = f"swapped {applied.swap.updated} places in {applied.swap.seconds * 1e3:.1f} ms"
        _log.info("%s", text)
        return text

    def _note_fixed(self, before: AgentConfig, after: AgentConfig) -> None:
        """Name the keys that were changed and are read at the start only."""
        keys = (f.name for f in fields(AgentConfig) if f.name != "plugins")
        for key in (k for k in keys if getattr(before, k) != getattr(after, k)):
            name = f"agent.{key.replace('_', '-')}"
            self._note(f"{name} has changed: it takes effect when the agent is started again")

    def retry(self, plugin: str) -> str:
        """Give a rejected or quarantined plugin another chance."""
        state = self.engine.retry(plugin)
        return f"{plugin} is {state.status}" + (f": {state.reason}" if state.reason else "")

    def sync(self) -> None:
        """Make the endpoints those of the source."""
        read = self.source.read()
        for problem in read.problems:
            self._note(str(problem))
        for error in sync_endpoints(self.engine, read.records).errors:
            self._note(error)

    def _note(self, problem: str) -> str:
        """Log a problem and keep the last few for status."""
        if problem not in self.problems:
            _log.error("%s", problem)
            self.problems = [*self.problems, problem][-_KEPT_PROBLEMS:]
        return problem

    async def _watch(self) -> None:
        """Configuration and endpoints, by inotify.

        The configuration's directory is watched, since editors and ConfigMaps replace the file.
        """
        from watchfiles import awatch

        directories = {self.config_path.parent, self.source.endpoints}
        async for changes in awatch(
            *directories, stop_event=self._stopped, debounce=50, step=10, recursive=False
        ):
            paths = {path for _, path in changes}
            if any(path.startswith(f"{self.source.endpoints}/") for path in paths):
                self.sync()
            if self._config_changed():
                self.reload()

    def _config_changed(self) -> bool:
        try:
            return self.config_path.read_bytes() != self._config_text
        except OSError:
            return False  # between removal and replacement; a missing file changes nothing

    async def _repair(self) -> None:
        while True:
            await asyncio.sleep(_REPAIR_PERIOD)
            try:
                for drift in self.engine.datapath.repair():
                    self._note(f"repaired: {drift}")
            except AxonemeError as error:
                self._note(str(error))
