# SPDX-License-Identifier: Apache-2.0
"""Changing one key of a configuration's file: its comments stay, and so does its sense.

A text is checked as a whole before it is written, so that no agent ever reads half a change.
"""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from attrs import frozen
from tomlkit.exceptions import TOMLKitError

from axoneme.config._agent import AgentConfig
from axoneme.config._aliases import is_section
from axoneme.config._configuration import AGENT_SECTION, enabled_plugins, parse_config
from axoneme.config._document import Document, dotted
from axoneme.config._keys import settings_of
from axoneme.config._well_known import Names, owner_of
from axoneme.errors import AxonemeError, ConfigError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axoneme.config._configuration import Configuration, Sections, SectionSource
    from axoneme.config._keys import Setting


@frozen
class Value:
    """What a key is; `written` is how the file spells it, () where it has the default."""

    setting: Setting
    value: Any
    written: tuple[str, ...] = ()
    line: int = 0


@frozen
class ConfigFile:
    """A file as it is now; a file that is not there is an empty one."""

    path: Path
    document: Document
    source: SectionSource
    known: Sections

    @classmethod
    def read(cls, path: Path, source: SectionSource) -> ConfigFile:
        """Read a file; raise ConfigError if it is no TOML. What its keys say is not checked."""
        document = Document.read(path) if path.exists() else Document.parse("", str(path))
        return cls(path, document, source, source.sections(enabled_plugins(document.table)))

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every key that there may be: core's, and those of the plugins that are on."""
        classes = {AGENT_SECTION: AgentConfig, **self.known.classes}
        return tuple(s for name, kind in classes.items() for s in settings_of(name, kind))

    def setting(self, key: str) -> Setting:
        """Find a key by its name, by its name without the section, or by another spelling of it.

        Raises:
            AxonemeError: there is no such key; the message has the nearest, or whose it is.
        """
        spellings: dict[str, dict[str, Setting]] = {}
        for one in self.settings:
            for text in (one.key, ".".join(one.path[1:]), *map(dotted, one.aliases)):
                spellings.setdefault(text, {})[one.key] = one
        found = spellings.get(key, {})
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            raise AxonemeError(f"{key} is a key of several: {', '.join(sorted(found))}")
        raise AxonemeError(f"{key}: {self._stranger(key, spellings)}")

    def _stranger(self, key: str, spellings: Iterable[str]) -> str:
        section = key.partition(".")[0]
        names = Names(self.known, enabled_plugins(self.document.table), ())
        owner = section if section in self.known.unchecked else owner_of(key)
        if owner is not None:
            return names.advice(owner)
        near = nearest(key, spellings)
        return "there is no such key" + (f"; did you mean {near!r}?" if near else "")

    def value(self, setting: Setting) -> Value:
        """What the file says of a key, or its default."""
        for written in (setting.path, *setting.aliases):
            if is_section(self.document.table, written, setting.path):
                continue
            node: Any = self.document.table
            for part in written:
                node = node.get(part, _ABSENT) if isinstance(node, dict) else _ABSENT
            if node is not _ABSENT:
                return Value(setting, node, written, self.document.line(written))
        return Value(setting, setting.default)

    def with_value(self, setting: Setting, text: str) -> str:
        """The file's text with another value, written as in TOML or, where it fits, without quotes.

        Raises:
            ConfigError: the text would be wrong; all that is wrong with it is listed.
        """
        candidates = list(_candidates(text))
        is_list = isinstance(candidates[0], list) or not setting.type.startswith("array")
        likely = candidates[0 if is_list else -1]
        key = dotted(self.value(setting).written or setting.path)
        wrong: ConfigError | None = None
        for value in [likely, *candidates]:
            changed = self._changed(setting, value)
            try:
                self.check(changed)
            except ConfigError as error:
                wrong = wrong or error
                if not any(problem.key.startswith(key) for problem in error.problems):
                    raise  # the value is right; other keys are wrong
            else:
                return changed
        assert wrong is not None
        raise wrong

    def without(self, setting: Setting) -> str:
        """The file's text without a key, which then has its default.

        Raises:
            ConfigError: the text would be wrong.
        """
        changed = self._changed(setting, _ABSENT)
        self.check(changed)
        return changed

    def check(self, text: str) -> Configuration:
        """Read a text as an agent would."""
        return parse_config(text, self.source, name=str(self.path))

    def _changed(self, setting: Setting, value: Any) -> str:
        path = self.value(setting).written or setting.path
        try:
            document = tomlkit.parse(self.document.text)
            tables: list[Any] = [document]
            for key in path[:-1]:
                if key not in tables[-1]:
                    tables[-1][key] = tomlkit.table()
                tables.append(tables[-1][key])
            if value is _ABSENT:
                del tables[-1][path[-1]]
                if path in setting.aliases:
                    _prune(tables, path)
            else:
                tables[-1][path[-1]] = value
            return tomlkit.dumps(document)
        except (TOMLKitError, TypeError) as error:
            raise AxonemeError(
                f"{self.path}: {dotted(path)} is to be changed by hand: {error}"
            ) from error

    def write(self, text: str) -> None:
        """Replace the file in one step; its mode and owner stay."""
        path = self.path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft(path, text)
        try:
            with suppress(FileNotFoundError):
                now = path.stat()
                draft.chmod(now.st_mode & 0o7777)
                os.chown(draft, now.st_uid, now.st_gid)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


_ABSENT: Any = object()


def _prune(tables: list[Any], path: tuple[str, ...]) -> None:
    """Remove the tables that only an alias needed."""
    for depth in range(len(tables) - 1, 0, -1):
        if not tables[depth]:
            del tables[depth - 1][path[depth - 1]]


def _candidates(text: str) -> list[Any]:
    """What a word of the command line may stand for: a value of TOML, a string, a list."""
    found: list[Any] = []
    with suppress(tomllib.TOMLDecodeError):
        parsed = tomllib.loads(f"value = {text}")
        if parsed.keys() == {"value"}:
            found.append(parsed["value"])
    return [*found, text, [part.strip() for part in text.split(",") if part.strip()]]


def _draft(path: Path, text: str) -> Path:
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft = Path(file.name)
    draft.chmod(0o644)
    return draft


def spelled(value: Any) -> str:
    """A value as it stands in a file; nothing is the empty string."""
    return json.dumps("" if value is None else value, ensure_ascii=False, default=str)
