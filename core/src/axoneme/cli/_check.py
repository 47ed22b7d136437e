# SPDX-License-Identifier: Apache-2.0
"""Check a plugin: load it alone, and with all others, on this kernel; attach nothing.

It is done in a thread that has a mount namespace and a bpffs of its own, so that the maps and pins
of an agent on this machine are out of reach.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from axoneme.agent.core import CoreHooks
from axoneme.cli._check_report import Loads, Report, describe_object, describe_trunks
from axoneme.config import parse_config, read_config
from axoneme.datapath import Datapath
from axoneme.datapath.preflight import check_kernel, check_privileges
from axoneme.errors import AxonemeError, ConfigError, PluginError
from axoneme.host import PluginHost, Status
from axoneme.net.namespaces import CLONE_FS, CLONE_NEWNS, MS_PRIVATE, MS_REC, mount, unshare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from importlib.metadata import EntryPoint

    from axoneme.config import Configuration
    from axoneme.host import PluginState
    from axoneme.model import PluginObject

_BPFFS = Path("/sys/fs/bpf")


def check_plugin(
    name: str, entry_points: Callable[[], Iterable[EntryPoint]], config: Path | None = None
) -> Report:
    """Check a plugin with the default settings of all, or with those of a configuration.

    The others are all plugins that are installed, or those that the configuration enables.

    Raises:
        AxonemeError: this is no place to check a plugin, or the configuration is wrong.
    """
    check_kernel()
    check_privileges()
    with ThreadPoolExecutor(1, initializer=_leave_the_machine) as thread:
        return thread.submit(_check, name, entry_points, config).result()


def _leave_the_machine() -> None:
    unshare(CLONE_FS | CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("bpf", str(_BPFFS), "bpf")


def _check(
    name: str, entry_points: Callable[[], Iterable[EntryPoint]], config: Path | None
) -> Report:
    host = PluginHost(core=CoreHooks(), entry_points=entry_points)
    datapath = Datapath.open(
        _BPFFS, find_loader=lambda loader: host.hooks.axoneme_loader(name=loader)
    )
    try:
        return _Check(name, host, datapath, config).report()
    finally:
        host.stop()
        datapath.remove()


@define
class _Check:
    plugin: str
    host: PluginHost
    datapath: Datapath
    config: Path | None
    problems: list[str] = field(factory=list, init=False)

    def report(self) -> Report:
        """Load four times: core, the plugin alone, the others, and all."""
        core = self._load({})
        self._enable({self.plugin})
        if self.plugin not in self.host.enabled():
            return self._report()
        own = self._objects().get(self.plugin, ())
        alone = self._load({self.plugin: own}, fill=True)
        names = self._enable(self._everybody())
        objects = self._objects() | {self.plugin: own}
        without = self._load({n: o for n, o in objects.items() if n != self.plugin})
        with_all = self._load(objects)
        self._compare(alone, without, with_all)
        return evolve(
            self._report(),
            others=tuple(sorted(names - {self.plugin})),
            objects=tuple(describe_object(self.plugin, item, alone, with_all) for item in own),
            trunks=tuple(describe_trunks(core, alone, without, with_all)),
        )

    def _report(self) -> Report:
        state = self._state()
        distribution = f"{state.distribution} {state.version}".strip()
        return Report(self.plugin, distribution, os.uname().release, problems=tuple(self.problems))

    def _everybody(self) -> set[str]:
        """The plugins that the configuration enables, or without one all that are installed."""
        if self.config is not None:
            return set(read_config(self.config, self.host).agent.plugins)
        return {state.name for state in self.host.plugins()}

    def _enable(self, names: set[str]) -> set[str]:
        """Switch to these plugins; return those that are on."""
        self.host.reconfigure(self._configuration(names))
        self._note_state()
        return set(self.host.enabled())

    def _configuration(self, names: set[str]) -> Configuration:
        """A configuration that enables these plugins; without a file only those it can."""
        if self.config is not None:
            found = read_config(self.config, self.host)
            if self.plugin not in found.agent.plugins:
                raise AxonemeError(
                    f"{self.config} does not enable {self.plugin}: add it to plugins"
                )
            return evolve(found, agent=evolve(found.agent, plugins=tuple(sorted(names))))
        text = f"[agent]\nplugins = {json.dumps(sorted(names))}"
        try:
            return parse_config(text, self.host, name="the default settings")
        except ConfigError as error:
            faulty = {problem.key.partition(".")[0] for problem in error.problems}
            if self.plugin in faulty:
                self._note(f"{error}; give a configuration with --config")
            return self._configuration(names - faulty)

    def _objects(self) -> dict[str, Sequence[PluginObject]]:
        objects = self.host.hooks.axoneme_objects()
        self._note_state()
        return dict(objects)

    def _load(self, objects: Mapping[str, Sequence[PluginObject]], *, fill: bool = False) -> Loads:
        assembly = self.datapath.prepare(objects)
        try:
            loads = Loads.of(assembly)
            if fill and self.plugin not in loads.refused:
                with suppress(PluginError):
                    self.host.call("axoneme_fill", self.plugin, datapath=self.datapath)
                self._note_state()
            return loads
        finally:
            assembly.close()

    def _compare(self, alone: Loads, without: Loads, with_all: Loads) -> None:
        """Note what goes wrong alone; else, or for another plugin, only when all are together."""
        if self.plugin in alone.refused:
            self._note(alone.refused[self.plugin])
            return
        for plugin, reason in with_all.refused.items():
            if plugin == self.plugin:
                self._note(f"with the others: {reason}")
            elif plugin not in without.refused:
                self._note(f"with it, {plugin} is refused: {reason}")

    def _state(self) -> PluginState:
        return next(state for state in self.host.plugins() if state.name == self.plugin)

    def _note_state(self) -> None:
        state = self._state()
        if state.status in (Status.REJECTED, Status.QUARANTINED):
            self._note(state.reason)

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)
