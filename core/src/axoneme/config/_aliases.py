# SPDX-License-Identifier: Apache-2.0
"""Other spellings of keys: a table as a file has it becomes one with the keys' own names.

An alias is a path from the top of the file. It belongs to the class that declares the key, and is
known only where that class is: an alias comes and goes with its plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from axoneme.config._document import Fault, dotted
from axoneme.config._keys import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axoneme.config._lines import KeyPath


@frozen
class Renamed:
    """A table with the keys' own names, and how the file spells those that it spells otherwise.

    `aliases` are all spellings that could have been used.
    """

    table: dict[str, Any]
    spelled: Mapping[KeyPath, KeyPath]
    aliases: tuple[str, ...]
    faults: tuple[Fault, ...] = ()

    def as_written(self, fault: Fault) -> Fault:
        """Return a fault at the key that the file has."""
        for path, written in self.spelled.items():
            if fault.path[: len(path)] == path:
                return evolve(fault, path=(*written, *fault.path[len(path) :]))
        return fault


def rename(table: Mapping[str, Any], classes: Mapping[str, type]) -> Renamed:
    """Give every key of these sections its own name; a key that is given twice is a fault."""
    renamed = _copy(table)
    spelled: dict[KeyPath, KeyPath] = {}
    faults: list[Fault] = []
    owners: dict[KeyPath, KeyPath] = {}
    for alias, path in _spellings(classes):
        if alias in owners:
            text = f"is a spelling of {dotted(owners[alias])} and of {dotted(path)}: write that"
            faults += [Fault(alias, text)] if _find(table, alias) else []
            continue
        owners[alias] = path
        if not _find(renamed, alias) or is_section(renamed, alias, path):
            continue
        value = _take(renamed, alias)
        other = spelled.get(path, path)
        if path in spelled or _find(renamed, path):
            faults.append(Fault(alias, f"is {dotted(other)}, which is given too: keep one"))
        elif _put(renamed, path, value):
            spelled[path] = alias
    return Renamed(renamed, spelled, tuple(map(dotted, owners)), tuple(faults))


def is_section(table: Mapping[str, Any], alias: KeyPath, path: KeyPath) -> bool:
    """Whether a spelling of a key is the name of its section as well, and stands for that here."""
    return alias == path[:1] and isinstance(table.get(str(alias[0])), dict)


def _spellings(classes: Mapping[str, type]) -> Iterable[tuple[KeyPath, KeyPath]]:
    for section, kind in classes.items():
        for setting in settings_of(section, kind):
            for alias in setting.aliases:
                yield alias, setting.path


def _copy(table: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copy(v) if isinstance(v, dict) else v for k, v in table.items()}


def _find(table: Mapping[str, Any], path: KeyPath) -> bool:
    node: Any = table
    for key in path:
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def _take(table: dict[str, Any], path: KeyPath) -> Any:
    """Remove a value, and the tables that are empty without it."""
    tables: list[dict[Any, Any]] = [table]
    for key in path[:-1]:
        tables.append(tables[-1][key])
    value = tables[-1].pop(path[-1])
    for outer, inner, key in zip(tables[-2::-1], tables[:0:-1], path[-2::-1], strict=True):
        if not inner:
            del outer[key]
    return value


def _put(table: dict[str, Any], path: KeyPath, value: Any) -> bool:
    """Set a value, unless its section is no table: that is a fault of its own."""
    node: Any = table
    for key in path[:-1]:
        node = node.setdefault(key, {})
        if not isinstance(node, dict):
            return False
    node[path[-1]] = value
    return True
