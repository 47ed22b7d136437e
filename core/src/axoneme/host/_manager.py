# SPDX-License-Identifier: Apache-2.0
"""The plugin host: which plugins are on, and every call into them."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from axoneme.config import Configuration, Sections
from axoneme.errors import PluginError, PluginFailed, PluginRejected
from axoneme.hookspecs import PROJECT
from axoneme.host._crash import blaming
from axoneme.host._discovery import entry_points
from axoneme.host._implementations import new_registry
from axoneme.host._relay import Hooks
from axoneme.host._results import misfit, settled
from axoneme.host._roster import Roster
from axoneme.host._states import Change, Rejected, Status, Vetted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.metadata import EntryPoint

    from pluggy import HookImpl

    from axoneme.host._states import PluginState

_log = logging.getLogger(__name__)


class PluginHost:
    """Holds the plugins of one agent: finds, vets, calls and isolates them.

    A plugin that is off is never imported. One that fails in a hook is quarantined: it is not
    called again until its section changes, it is disabled and enabled, or `retry` is called.
    One that is rejected, by vetting or by the datapath, gets another chance with each
    configuration. The host is not for several threads: the agent's loop makes all calls.
    """

    def __init__(
        self,
        *,
        entry_points: Callable[[], Iterable[EntryPoint]] = entry_points,
        core: object | None = None,
        core_version: str | None = None,
    ) -> None:
        """Find what is installed; nothing is on before `reconfigure`.

        `core` holds core's own implementations of hooks that have one answer: it is asked
        first, and a fault in it is no plugin's.
        """
        self._registry = new_registry()
        if core is not None:
            self._registry.register(core, PROJECT)
        version = Version(core_version if core_version is not None else _installed_version())
        self._roster = Roster(entry_points, version, self._registry)
        self._roster.discover()
        self._vetted: dict[str, Vetted | Rejected] = {}
        self._configuration = Configuration()
        #: The hooks as methods, which a type checker knows.
        self.hooks = Hooks(self._fan_out, self._first)

    def plugins(self) -> tuple[PluginState, ...]:
        """Return the state of every plugin that is installed or enabled, by name."""
        return self._roster.states()

    def enabled(self) -> tuple[str, ...]:
        """Return the plugins that are on, by name."""
        return tuple(self._roster.sections())

    def answering(self, hook: str) -> tuple[str, ...]:
        """Return the plugins that are on and implement a hook, by name."""
        return tuple(n for n in self.enabled() if self._implementation(hook, n) is not None)

    def sections(self, enabled: Sequence[str], /) -> Sections:
        """Vet plugins that are to be enabled, and return the sections that a file may have.

        Nothing is switched: a file that turns out to be wrong changes nothing.
        """
        names = self._roster.discover()
        self._vetted = {name: self._roster.vet(name) for name in enabled}
        classes = {
            name: vetted.settings
            for name, vetted in self._vetted.items()
            if isinstance(vetted, Vetted)
        }
        return Sections(classes, names.union(enabled) - classes.keys())

    def reconfigure(self, configuration: Configuration) -> Change:
        """Switch plugins on and off as a configuration says, and return what that changed.

        A plugin that leaves gets axoneme_stop. One that comes is on from now: what it needs to
        hear of, such as the endpoints that are there, is the caller's to tell it.
        """
        before = self._roster.sections()
        self._configuration = configuration
        self._roster.discover()
        wanted = configuration.agent.plugins
        for state in self._roster.states():
            if state.name not in wanted and state.status is not Status.OFF:
                self._leave(state.name, Status.OFF)
        for name in sorted(wanted):
            self._admit(name)
        self._vetted = {}
        return Change.between(before, self._roster.sections())

    def retry(self, plugin: str) -> PluginState:
        """Give an enabled plugin that is quarantined or rejected another chance, at once."""
        if plugin not in self._configuration.agent.plugins:
            raise PluginRejected("is not enabled: add it to plugins", plugin=plugin)
        if self._roster[plugin].status is not Status.ON:
            self._leave(plugin, Status.OFF)
            self._roster.discover()
            self._admit(plugin)
        return self._roster[plugin].state

    def reject(self, plugin: str, reason: str) -> None:
        """Take out a plugin that the datapath cannot use, until the next configuration."""
        self._leave(plugin, Status.REJECTED, reason)
        _log.warning("plugin %s is rejected: %s", plugin, reason)

    def stop(self) -> None:
        """Let every plugin that is on give back what it holds; nothing is on afterwards."""
        for name in self.enabled():
            self._leave(name, Status.OFF)

    def call(self, hook: str, plugin: str, /, **arguments: Any) -> Any:
        """Run one plugin's implementation of a hook and return its answer.

        Returns None if the plugin does not implement the hook. Raises PluginFailed if it fails,
        which quarantines it, and PluginRejected if it is not on.
        """
        status = self._roster[plugin].status if plugin in self._roster else "not installed"
        if status is not Status.ON:
            raise PluginRejected(f"is {status}, so {hook} is not called", plugin=plugin)
        try:
            return self._run(hook, plugin, **arguments, config=self._roster[plugin].config)
        except PluginFailed as failure:
            _log.exception("plugin %s is quarantined", plugin, exc_info=failure.__cause__)
            self._roster.withdraw(plugin, Status.QUARANTINED, failure.message)
            raise

    def _run(self, hook: str, plugin: str, /, **arguments: Any) -> Any:
        implementation = self._implementation(hook, plugin)
        if implementation is None:
            return None
        passed = _chosen(implementation, arguments)
        with blaming(plugin, hook):
            answer = settled(hook, implementation.function(**passed))
        problem = misfit(hook, answer)
        if problem is not None:
            raise PluginFailed(problem, plugin=plugin)
        return answer

    def _implementation(self, hook: str, plugin: str) -> HookImpl | None:
        found: list[HookImpl] = getattr(self._registry.hook, hook).get_hookimpls()
        return next((each for each in found if each.plugin_name == plugin), None)

    def _fan_out(self, hook: str, **arguments: Any) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        for name in self.answering(hook):
            with suppress(PluginError):
                answers[name] = self.call(hook, name, **arguments)
        return answers

    def _first(self, hook: str, **arguments: Any) -> Any:
        own = self._implementation(hook, PROJECT)
        answer = own.function(**_chosen(own, arguments)) if own else None
        for name in self.enabled():
            if answer is not None:
                break
            with suppress(PluginError):
                answer = self.call(hook, name, **arguments)
        return answer

    def _admit(self, name: str) -> None:
        """Put an enabled plugin on, give it its new section, or note why it cannot be used."""
        vetted = self._vetted.get(name) or self._roster.vet(name)
        if isinstance(vetted, Rejected):
            self._roster.refuse(vetted)
            return
        entry = self._roster[name]
        sections = self._configuration.sections
        if name not in sections:
            reason = "its section was not read, since its settings were not known: reload"
            self._roster.refuse(Rejected(name, reason, vetted.distribution, vetted.version))
        elif entry.status is not Status.QUARANTINED or entry.config != sections[name]:
            self._roster.enter(vetted, sections[name])

    def _leave(self, name: str, status: Status, reason: str = "") -> None:
        """Take a plugin out of use; axoneme_stop is its last call."""
        if self._roster[name].status is Status.ON:
            try:
                self._run("axoneme_stop", name, config=self._roster[name].config)
            except PluginFailed as failure:
                _log.exception("plugin %s failed while it left", name, exc_info=failure.__cause__)
                reason = reason or failure.message
        self._roster.withdraw(name, status, reason)


def _chosen(implementation: HookImpl, arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: arguments[name] for name in implementation.argnames}


def _installed_version() -> str:
    from importlib.metadata import version

    return version(PROJECT)
