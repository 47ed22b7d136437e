# SPDX-License-Identifier: Apache-2.0
"""Vetting: an enabled plugin is let in, or rejected with the sentence that says why.

The order matters. What metadata tells is checked first, so that a plugin for another core never
runs a line of code here; then the plugin is imported; then its hooks and settings are looked at.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, cast

from attrs import frozen
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from axoneme.config import AGENT_SECTION, settings_reader
from axoneme.errors import PluginError, PluginRejected, nearest
from axoneme.hookspecs import PROJECT
from axoneme.host._crash import blaming
from axoneme.host._implementations import misfit, new_registry
from axoneme.host._states import Rejected, Vetted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.version import Version
    from pluggy import PluginManager

    from axoneme.host._discovery import Installed

_RESERVED = frozenset({AGENT_SECTION, PROJECT})
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@frozen
class NoSettings:
    """The settings of a plugin that declares none: its section has no keys."""


class Vetter:
    """Vets plugins for one version of core, and remembers those that it imported."""

    def __init__(self, core: Version) -> None:
        self._core = core
        self._imported: dict[str, tuple[Installed, Any]] = {}
        self._vetted: dict[str, Vetted] = {}

    def vet(self, name: str, plugins: Mapping[str, tuple[Installed, ...]]) -> Vetted | Rejected:
        """Return what the plugin called `name` is, out of all that are installed."""
        candidates = plugins.get(name, ())
        try:
            plugin = _single(name, candidates, plugins)
            _check_name(name)
            _check_range(plugin, self._core)
            return self._inspect(plugin)
        except PluginError as error:
            first = candidates[0] if candidates else None
            return Rejected(
                name,
                error.message,
                first.distribution if first else "",
                first.version if first else "",
            )

    def _inspect(self, plugin: Installed) -> Vetted:
        if plugin.name not in self._imported:
            self._imported[plugin.name] = (plugin, _import(plugin))
        before, module = self._imported[plugin.name]
        # Python has one module of a name: another version takes another process.
        if (before.distribution, before.version) != (plugin.distribution, plugin.version):
            raise PluginRejected(
                f"{plugin.distribution} {plugin.version} is installed, but this agent has imported "
                f"{before.distribution} {before.version}: restart it",
                plugin=plugin.name,
            )
        if plugin.name not in self._vetted:
            self._vetted[plugin.name] = _inspect(plugin, module)
        return self._vetted[plugin.name]


def _single(
    name: str, candidates: tuple[Installed, ...], plugins: Mapping[str, tuple[Installed, ...]]
) -> Installed:
    if not candidates:
        near = nearest(name, plugins)
        hint = f"did you mean {near!r}?" if near else "install the distribution that has it"
        raise PluginRejected(f"is not installed: {hint}", plugin=name)
    if len(candidates) > 1:
        owners = " and ".join(f"{plugin.distribution} {plugin.version}" for plugin in candidates)
        raise PluginRejected(f"is in {owners}: uninstall all but one", plugin=name)
    return candidates[0]


def _check_name(name: str) -> None:
    if name in _RESERVED:
        raise PluginRejected(f"{name!r} is core's own name: rename the entry point", plugin=name)
    if not _NAME.fullmatch(name):
        raise PluginRejected(
            f"{name!r} is no name for a section and for symbols: rename the entry point with "
            "small letters, digits and single - or _",
            plugin=name,
        )


def _check_range(plugin: Installed, core: Version) -> None:
    ranges = []
    for text in plugin.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            sentence = f"{plugin.distribution} requires {text!r}, which is no requirement"
            raise PluginRejected(sentence, plugin=plugin.name) from error
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if canonicalize_name(requirement.name) == PROJECT and applies:
            ranges.append(requirement.specifier)
    if not ranges:
        series = f"{PROJECT}>={core.major}.{core.minor},<{core.major}.{core.minor + 1}"
        raise PluginRejected(
            f"{plugin.distribution or 'its distribution'} does not say which core it is for: "
            f'add a dependency such as "{series}"',
            plugin=plugin.name,
        )
    for specifier in ranges:
        if not specifier.contains(core, prereleases=True):
            raise PluginRejected(
                f"needs {PROJECT}{specifier} and this is {core}: install a release of "
                f"{plugin.distribution} for this core",
                plugin=plugin.name,
            )


def _import(plugin: Installed) -> Any:
    if not _MODULE.fullmatch(plugin.module):
        raise PluginRejected(
            f"its entry point is {plugin.module!r} and must be a module", plugin=plugin.name
        )
    with blaming(plugin.name, f"the import of {plugin.module}"):
        return importlib.import_module(plugin.module)


def _inspect(plugin: Installed, module: Any) -> Vetted:
    # A registry of its own: what is wrong with one plugin leaves nothing behind in the host's.
    registry = new_registry()
    with blaming(plugin.name, f"the inspection of {plugin.module}"):
        problem = misfit(module, registry)
    if problem is not None:
        raise PluginRejected(problem, plugin=plugin.name)
    registry.register(module, plugin.name)
    settings = _settings(plugin.name, registry)
    return Vetted(plugin.name, plugin.distribution, plugin.version, module, settings)


def _settings(name: str, registry: PluginManager) -> type:
    implementations = registry.hook.axoneme_config.get_hookimpls()
    if not implementations:
        return NoSettings
    with blaming(name, "axoneme_config"):
        settings: Any = implementations[0].function()
        problem = _unreadable(settings)
    if problem is not None:
        raise PluginRejected(f"axoneme_config: {problem}", plugin=name)
    return cast("type", settings)


def _unreadable(settings: Any) -> str | None:
    try:
        settings_reader(settings)
    except TypeError as error:
        return str(error)
    return None
