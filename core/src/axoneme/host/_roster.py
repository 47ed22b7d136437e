# SPDX-License-Identifier: Apache-2.0
"""The roster: every plugin that is installed or enabled, and where it stands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from axoneme.host._discovery import installed
from axoneme.host._states import PluginState, Rejected, Status
from axoneme.host._vetting import Vetter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint

    from packaging.version import Version
    from pluggy import PluginManager

    from axoneme.host._discovery import Installed
    from axoneme.host._states import Vetted

_IN_USE = (Status.ON, Status.QUARANTINED)

_log = logging.getLogger(__name__)


@frozen
class Entry:
    """A plugin's state; while it is in use, also what was vetted and the section it has."""

    state: PluginState
    vetted: Vetted | None = None
    config: Any = None

    @property
    def status(self) -> Status:
        """Return where the plugin stands."""
        return self.state.status


class Roster:
    """Keeps the entries, and in the registry exactly the plugins that are on."""

    def __init__(
        self,
        entry_points: Callable[[], Iterable[EntryPoint]],
        core: Version,
        registry: PluginManager,
    ) -> None:
        self._entry_points = entry_points
        self._vetter = Vetter(core)
        self._registry = registry
        self._installed: dict[str, tuple[Installed, ...]] = {}
        self._entries: dict[str, Entry] = {}

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of a plugin that is installed or enabled."""
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        """Return whether a plugin is installed or enabled."""
        return name in self._entries

    def states(self) -> tuple[PluginState, ...]:
        """Return all states, by name."""
        return tuple(self._entries[name].state for name in sorted(self._entries))

    def sections(self) -> dict[str, Any]:
        """Return the section of each plugin that is on, by name."""
        return {
            name: entry.config
            for name, entry in sorted(self._entries.items())
            if entry.status is Status.ON
        }

    def discover(self) -> frozenset[str]:
        """Look again at what is installed, and return the names."""
        self._installed = installed(self._entry_points())
        off = [name for name, entry in self._entries.items() if entry.status is Status.OFF]
        for name in set(off) - self._installed.keys():
            del self._entries[name]
        for name, (plugin, *_) in self._installed.items():
            reason = self._entries[name].state.reason if name in off else ""
            if name in off or name not in self._entries:
                state = PluginState(name, Status.OFF, reason, plugin.distribution, plugin.version)
                self._entries[name] = Entry(state)
        return frozenset(self._installed)

    def vet(self, name: str) -> Vetted | Rejected:
        """Vet a plugin; one that is in use is not disturbed by what happens on disk."""
        entry = self._entries.get(name)
        if entry and entry.vetted and entry.status in _IN_USE:
            return entry.vetted
        return self._vetter.vet(name, self._installed)

    def enter(self, vetted: Vetted, config: Any) -> None:
        """Put a plugin on with its section, unless its module is another plugin already."""
        name = vetted.plugin
        other = self._registry.get_name(vetted.module)
        if other not in (None, name):
            reason = f"its module is that of the plugin {other}: enable one of the two"
            self.refuse(Rejected(name, reason, vetted.distribution, vetted.version))
            return
        if other is None:
            self._registry.register(vetted.module, name)
        state = PluginState(name, Status.ON, "", vetted.distribution, vetted.version)
        self._entries[name] = Entry(state, vetted, config)

    def refuse(self, rejected: Rejected) -> None:
        """Note that a plugin which is not in use was rejected."""
        state = PluginState(
            rejected.plugin,
            Status.REJECTED,
            rejected.reason,
            rejected.distribution,
            rejected.version,
        )
        before = self._entries.get(rejected.plugin)
        if before is None or before.state != state:
            _log.warning("plugin %s is rejected: %s", rejected.plugin, rejected.reason)
        self._entries[rejected.plugin] = Entry(state)

    def withdraw(self, name: str, status: Status, reason: str) -> None:
        """Take a plugin out of use; one in quarantine keeps its section, to see it change."""
        entry = self._entries[name]
        if entry.status is Status.ON:
            self._registry.unregister(name=name)
        state = evolve(entry.state, status=status, reason=reason)
        kept = status is Status.QUARANTINED
        self._entries[name] = evolve(entry, state=state) if kept else Entry(state)
