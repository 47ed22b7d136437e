# SPDX-License-Identifier: Apache-2.0
"""A whole configuration: core's section and those of the plugins that are on."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, fields_dict, frozen

from axoneme.config._agent import AgentConfig
from axoneme.config._aliases import rename
from axoneme.config._document import Document, Fault, dotted
from axoneme.config._settings import key_of, settings_reader
from axoneme.config._well_known import Names, owner_of
from axoneme.errors import ConfigError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from axoneme.config._lines import KeyPath

AGENT_SECTION = "agent"


def _frozen_mapping(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


@frozen
class Configuration:
    """What one file says: core's settings, and an instance of each plugin's own class.

    `sections` has the plugins that are on and whose class is known, whether the file names
    their section or not. `path` is None for a configuration that is from no file.
    """

    agent: AgentConfig = field(factory=AgentConfig)
    sections: Mapping[str, Any] = field(factory=dict, converter=_frozen_mapping)
    path: Path | None = None


@frozen
class Sections:
    """Which sections a file may have beside core's.

    `classes` are the settings of the plugins that are on; `unchecked` names the plugins that
    are installed and not in use, whose sections are left for later.
    """

    classes: Mapping[str, type] = field(factory=dict, converter=_frozen_mapping)
    unchecked: frozenset[str] = frozenset()


class SectionSource(Protocol):
    """Knows the sections of the plugins: the plugin host is one."""

    def sections(self, enabled: Sequence[str], /) -> Sections:
        """Return the sections that a file may have when it enables these plugins."""


def read_config(path: Path, source: SectionSource) -> Configuration:
    """Read a file; raise ConfigError, which lists all of its problems, if there is any."""
    return _read(Document.read(path), source, path)


def parse_config(text: str, source: SectionSource, *, name: str) -> Configuration:
    """Read a text that is from no file; `name` says in errors where it is from."""
    return _read(Document.parse(text, name), source, None)


def _read(document: Document, source: SectionSource, path: Path | None) -> Configuration:
    enabled = enabled_plugins(document.table)
    known = source.sections(enabled)
    classes = {AGENT_SECTION: AgentConfig, **known.classes}
    renamed = rename(document.table, classes)
    table = renamed.table
    agent, faults = settings_reader(AgentConfig)(table.get(AGENT_SECTION, {}), (AGENT_SECTION,))
    sections = {}
    for name, settings in known.classes.items():
        sections[name], wrong = settings_reader(settings)(table.get(name, {}), (name,))
        faults += wrong
    names = Names(known, enabled, renamed.aliases)
    faults = [_at_home(fault, classes, names) for fault in faults]
    strangers = table.keys() - names.sections
    faults += [fault for key in strangers for fault in _misplaced(key, table[key], names)]
    faults += [
        Fault((key,), "must be a table")
        for key in names.sections & table.keys() - known.classes.keys() - {AGENT_SECTION}
        if not isinstance(table[key], dict)
    ]
    faults += renamed.faults
    if faults:
        problems = [document.problem(renamed.as_written(fault)) for fault in faults]
        raise ConfigError(sorted(problems, key=lambda problem: (problem.line, problem.key)))
    return Configuration(agent, sections, path)


def enabled_plugins(table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which plugins the file means to enable, even if other keys of core are wrong."""
    agent = table.get(AGENT_SECTION)
    plugins = agent.get("plugins") if isinstance(agent, dict) else None
    names = plugins if isinstance(plugins, list) else []
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def _at_home(fault: Fault, classes: Mapping[str, type], names: Names) -> Fault:
    """Say of a key that is not known in its section in which one it is, if there is one."""
    section, key = fault.path[0], fault.path[-1]
    if len(fault.path) != 2 or key in _keys(classes[str(section)]):
        return fault
    homes = [name for name, settings in classes.items() if key in _keys(settings)]
    if homes:
        return Fault(fault.path, f"is a key of [{homes[0]}]: write it there")
    owner = owner_of(str(key))
    return Fault(fault.path, names.advice(owner)) if owner else fault


def _keys(settings: type) -> set[str]:
    return set(map(key_of, fields_dict(settings).values()))


def _misplaced(key: str, value: Any, names: Names) -> list[Fault]:
    """What is wrong with what stands at the top of a file and is no section."""
    if key in _keys(AgentConfig):
        return [Fault((key,), f"is a key of [{AGENT_SECTION}]: write it below that line")]
    paths: list[KeyPath] = [(key, name) for name in value] if isinstance(value, dict) else [(key,)]
    owners = {path: owner_of(dotted(path)) for path in paths}
    is_table = any(owners.values()) or any(alias.startswith(f"{key}.") for alias in names.aliases)
    if not is_table:
        return [Fault((key,), "no plugin of this name is installed", nearest(key, names.sections))]
    return [
        Fault(path, names.advice(owner))
        if owner
        else Fault(path, "unknown key", nearest(dotted(path), names.aliases))
        for path, owner in owners.items()
        if owner not in names.unusable
    ]


def read_agent_config(path: Path) -> AgentConfig:
    """Read core's section only, for commands that look for a running agent.

    Raises ConfigError for what is wrong in that section; the others are the agent's to judge.
    """
    document = Document.read(path)
    renamed = rename(document.table, {AGENT_SECTION: AgentConfig})
    table = renamed.table.get(AGENT_SECTION, {})
    agent, faults = settings_reader(AgentConfig)(table, (AGENT_SECTION,))
    if faults or renamed.faults:
        found = map(renamed.as_written, [*faults, *renamed.faults])
        raise ConfigError(document.problem(fault) for fault in found)
    assert isinstance(agent, AgentConfig)
    return agent
