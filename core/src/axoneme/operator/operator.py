# SPDX-License-Identifier: Apache-2.0
"""The operator process: it waits until it leads, and then gives nodes their networks.

It ends on SIGTERM or SIGINT, and another one leads at once. Nothing that it knows is needed by the
next: who has which network is in the nodes' resources alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import define, field

from axoneme.agent.client import OPERATOR_SOCKET, ask_at
from axoneme.agent.metrics import serve_metrics
from axoneme.agent.notes import Notes
from axoneme.agent.server import serve
from axoneme.config import read_config
from axoneme.errors import AxonemeError
from axoneme.host import PluginHost
from axoneme.sources import EmbeddedSource, Watcher
from axoneme.sources.manifests import ManifestReader

from .metrics import exposition
from .rounds import Rounds
from .status import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from axoneme.config import AgentConfig
    from axoneme.sources import Leadership

_log = logging.getLogger(__name__)
#: Seconds between two rounds when nothing is told of.
_RESYNC_SECONDS = 10.0
#: Seconds after something went wrong that may be better then.
_RETRY_SECONDS = 1.0
#: Seconds in which whoever writes the configuration in place may come to the end.
_SETTLE_SECONDS = 0.05
#: Seconds in which more may change before a round begins, at least; at most those after which a
#: large cluster that changes all the time takes a third of a processor.
_GATHER_SECONDS, _MOST_SECONDS = 0.01, 1.0
_CONFIG, _NODES, _MANIFESTS = "config", "nodes", "manifests"
_FIXED = ("state_dir", "run_dir", "manifests_dir", "operator_prometheus_serve_addr")
_METRICS_KEY = "operator-prometheus-serve-addr"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@define
class Operator:
    """One of the operators of a cluster; `since` is when it began to lead, "" while it does not."""

    config_path: Path
    agent: AgentConfig
    host: PluginHost
    leadership: Leadership
    rounds: Rounds
    notes: Notes = field(factory=Notes, init=False)
    since: str = field(default="", init=False)
    _config_text: bytes = field(default=b"", init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)
    _stopped: asyncio.Event = field(factory=asyncio.Event, init=False)

    @classmethod
    def start(cls, config_path: Path) -> Operator:
        """Read the configuration, and put the plugins on.

        Raises:
            AxonemeError: the configuration is wrong, or another operator has this run directory.
        """
        text = config_path.read_bytes() if config_path.exists() else b""
        host = PluginHost()
        configuration = read_config(config_path, host)
        agent = configuration.agent
        _check_alone(agent.run_dir)
        host.reconfigure(configuration)
        source = EmbeddedSource(agent.state_dir)
        source.create()
        name = agent.node_name or socket.gethostname().lower()
        leadership = source.leadership(f"{name}, process {os.getpid()}")
        rounds = Rounds(host, source, ManifestReader(agent.manifests_dir), leadership)
        operator = cls(config_path, agent, host, leadership, rounds)
        operator._config_text = text
        return operator

    async def run(self) -> None:
        """Wait, lead and serve until a signal ends it.

        Raises:
            Exception: a part of it failed in a way that nobody thought of; it does not go on.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        address = self.agent.operator_prometheus_serve_addr
        with Watcher(self._directories()) as watcher:
            async with (
                serve(self.agent.run_dir, self._methods(), name=OPERATOR_SOCKET),
                serve_metrics(address, lambda: exposition(self), self.notes.note, key=_METRICS_KEY),
            ):
                _log.info("ready")
                works = (self._watch(watcher), self._take_turns(), self._stopped.wait())
                await _until_first([asyncio.create_task(work) for work in works])
        self.leadership.release()
        self.host.stop()

    def _methods(self) -> Mapping[str, object]:
        return {
            "status": lambda: describe(self),
            "metrics": lambda: exposition(self),
            "reload": self.reload_now,
        }

    def _directories(self) -> dict[str, Path]:
        """What is watched. Of the configuration its directory, since editors replace the file."""
        return {
            _CONFIG: self.config_path.parent,
            _NODES: self.rounds.source.nodes.directory,
            _MANIFESTS: self.agent.manifests_dir,
        }

    async def _take_turns(self) -> None:
        """Lead whenever nobody else does."""
        while True:
            try:
                await self.leadership.acquire()
                self.since = datetime.now(UTC).strftime(_TIME)
                _log.info("leading")
                await self._lead()
                self.notes.note("another operator leads, since the file of the lock was replaced")
            except (AxonemeError, OSError) as error:
                self.notes.note(str(error))
            except Exception as error:  # noqa: BLE001 - it is told, and tried again
                _log.exception("leading failed")
                self.notes.note(f"leading failed: {type(error).__name__}: {error}")
            finally:
                self.since = ""
                self.leadership.release()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _lead(self) -> None:
        """Do rounds for as long as we lead."""
        while self.leadership.leads():
            self._changed.clear()
            await self._round()
            with suppress(TimeoutError):
                async with asyncio.timeout(_RESYNC_SECONDS):
                    await self._changed.wait()
            await asyncio.sleep(max(_GATHER_SECONDS, min(_MOST_SECONDS, 2 * self.rounds.seconds)))

    async def _round(self) -> None:
        try:
            await self.rounds.run()
        except (AxonemeError, OSError) as error:
            self.rounds.problems = (str(error),)
        except Exception as error:  # noqa: BLE001 - the next round may be better, and this is told
            _log.exception("a round failed")
            self.rounds.problems = (f"a round failed: {type(error).__name__}: {error}",)
        for problem in self.rounds.problems:
            self.notes.note(problem)

    async def _watch(self, watcher: Watcher) -> None:
        async for changed in watcher:
            if _CONFIG in changed and self._config_changed():
                await asyncio.sleep(_SETTLE_SECONDS)
                self.reload()
            if changed - {_CONFIG}:
                self._changed.set()

    def _config_changed(self) -> bool:
        """Whether there is another text; none at all is one that is being replaced or written."""
        try:
            text = self.config_path.read_bytes()
        except OSError:
            return False
        return bool(text) and text != self._config_text

    def reload(self) -> None:
        """Read the configuration again; what is wrong is noted."""
        with suppress(AxonemeError):
            self.reload_now()

    def reload_now(self) -> str:
        """Read the configuration again; what came of it, for people.

        Raises:
            AxonemeError: it is refused, and the old one stays.
        """
        try:
            self._config_text = self.config_path.read_bytes()
            configuration = read_config(self.config_path, self.host)
        except (AxonemeError, OSError) as error:
            text = f"the configuration is refused, the old one stays: {error}"
            self.notes.refused = (self.notes.note(text),)
            raise AxonemeError(text) from error
        self.host.reconfigure(configuration)
        self.notes.refused = ()
        self.notes.fixed = tuple(map(self.notes.note, self._fixed(configuration.agent)))
        self._changed.set()
        _log.info("the configuration was read again")
        return "the configuration is in effect"

    def _fixed(self, now: AgentConfig) -> Iterator[str]:
        """Name the keys that were changed and are read at the start only."""
        for key in _FIXED:
            if getattr(now, key) != getattr(self.agent, key):
                name = f"agent.{key.replace('_', '-')}"
                yield f"{name} has changed: it takes effect when the operator is started again"


def _check_alone(run_dir: Path) -> None:
    """See that nobody would lose a socket that is in use."""
    path = run_dir / OPERATOR_SOCKET
    with suppress(ConnectionError):
        ask_at(path, "status")
        raise AxonemeError(f"another operator answers at {path}: give this one another run-dir")


async def _until_first(tasks: list[asyncio.Task[object]]) -> None:
    """Wait until one of them ends, and end the others; raise what it raised."""
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in done:
        task.result()
