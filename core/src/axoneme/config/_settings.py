# SPDX-License-Identifier: Apache-2.0
"""From a TOML table to an instance of the attrs class that declares its keys.

All faults of a table are found in one go: keys it must not have, keys it lacks, values of
another type, and what converters and validators raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from attrs import NOTHING, frozen

from axoneme.config._blame import blame, input_type
from axoneme.config._document import Fault
from axoneme.config._readers import reader, toml_name
from axoneme.errors import nearest

if TYPE_CHECKING:
    from axoneme.config._lines import KeyPath
    from axoneme.config._readers import Reader, Reading

_LISTED_KEYS = 12


@frozen
class _Key:
    field: attrs.Attribute[Any]
    read: Reader


@frozen
class SettingsReader:
    """Reads tables as instances of one attrs class; `settings_reader` makes it."""

    settings: Any
    keys: dict[str, _Key]

    def __call__(self, value: Any, path: KeyPath) -> Reading:
        """Return an instance for the table at a path, or all that is wrong with the table."""
        if not isinstance(value, dict):
            return None, [Fault(path, f"expected a table, got {toml_name(value)}")]
        faults = self._misfits(value, path)
        given: dict[str, Any] = {}
        for name in self.keys.keys() & value.keys():
            item, wrong = self.keys[name].read(value[name], (*path, name))
            faults += wrong
            if not wrong:
                given[name] = item
        if faults:
            return None, faults + self._blame(given, path)
        return self._create(given, path)

    def _misfits(self, table: dict[str, Any], path: KeyPath) -> list[Fault]:
        unknown = [self._unknown(name, path) for name in table if name not in self.keys]
        missing = [
            Fault((*path, name), "is missing and has no default")
            for name, key in self.keys.items()
            if name not in table and key.field.default is NOTHING
        ]
        return unknown + missing

    def _unknown(self, name: str, path: KeyPath) -> Fault:
        near = nearest(name, self.keys)
        message = "unknown key"
        if near is None and len(self.keys) <= _LISTED_KEYS:
            listed = ", ".join(sorted(self.keys)) or "no keys"
            message += f"; the table takes {listed}"
        return Fault((*path, name), message, near)

    def _create(self, given: dict[str, Any], path: KeyPath) -> Reading:
        arguments: dict[str, Any] = {
            str(self.keys[name].field.alias): item for name, item in given.items()
        }
        try:
            return self.settings(**arguments), []
        except Exception as error:  # noqa: BLE001 - a plugin's own class may raise anything
            return None, self._blame(given, path) or [Fault(path, sentence(error))]

    def _blame(self, given: dict[str, Any], path: KeyPath) -> list[Fault]:
        names = {key.field.name: name for name, key in self.keys.items()}
        values = {self.keys[name].field.name: item for name, item in given.items()}
        return [
            Fault((*path, names[field]), sentence(error))
            for field, error in blame(self.settings, values).items()
        ]


def settings_reader(settings: Any) -> SettingsReader:
    """Return the reader of a class of settings.

    Raises TypeError, with a sentence, if the class cannot be one.
    """
    if not isinstance(settings, type) or not attrs.has(settings):
        raise TypeError(f"{settings!r} is no attrs class")
    try:
        attrs.resolve_types(settings)
    except NameError as error:
        raise TypeError(
            f"{settings.__name__}: {error}: import the types of settings outside of TYPE_CHECKING"
        ) from error
    keys: dict[str, _Key] = {}
    for field in attrs.fields(settings):
        if field.init:
            try:
                keys[key_of(field)] = _Key(field, reader(input_type(field), settings_reader))
            except TypeError as error:
                raise TypeError(f"{settings.__name__}.{field.name}: {error}") from error
    return SettingsReader(settings, keys)


def key_of(field: attrs.Attribute[Any]) -> str:
    """Return the key of a field: `state_dir` is `state-dir`, and `from_` is `from`."""
    return str(field.alias).rstrip("_").replace("_", "-")


def sentence(error: Exception) -> str:
    """Return what an exception says: the validators of attrs put values behind the sentence."""
    text = str(error.args[0]) if error.args else "is refused"
    if isinstance(error, (TypeError, ValueError)):
        return text
    return f"{type(error).__name__}: {text}"
