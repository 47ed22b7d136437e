# SPDX-License-Identifier: Apache-2.0
"""The keys of a section, as its class declares them: for whoever lists, looks up or changes them.

A field's metadata may say more: `aliases`, other spellings of the key from the top of the file,
such as `bpf.mapDynamicSizeRatio`, and `effect`, the word for when a change of it takes effect.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import attrs
from attrs import frozen

from axoneme.config._blame import input_type
from axoneme.config._settings import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "Path": "path",
    "IPv4Network": "IPv4 network",
    "IPv6Network": "IPv6 network",
    "IPv4Address": "IPv4 address",
    "IPv6Address": "IPv6 address",
}
_ARRAYS = (tuple, list, set, frozenset, Sequence)
_TABLES = (dict, Mapping)


class Effect(Enum):
    """When a changed key takes effect."""

    #: The agent takes it over as it is; nothing is replaced.
    RELOAD = "at once"
    #: Programs are linked again with it and swapped.
    SWAP = "by a swap of the programs, which loses no packet"
    #: Only an agent that starts reads it.
    START = "when the agent is started again, which pods do not notice"


@frozen
class Setting:
    """A key: `path` from the top of the file, the words for its type, and its default as TOML has.

    The default is None where a key must be given or is nothing; `required` tells them apart.
    """

    path: tuple[str, ...]
    type: str
    default: Any
    required: bool
    aliases: tuple[tuple[str, ...], ...]
    effect: Effect

    @property
    def key(self) -> str:
        """The key as people write it."""
        return ".".join(self.path)


def settings_of(section: str, kind: Any) -> Iterator[Setting]:
    """Yield the keys of a section, those of tables in it too."""
    usual = Effect.START if section == "agent" else Effect.SWAP
    yield from _settings(kind, (section,), usual)


def _settings(kind: Any, path: tuple[str, ...], usual: Effect) -> Iterator[Setting]:
    attrs.resolve_types(kind)
    for field in attrs.fields(kind):
        here = (*path, key_of(field))
        effect = Effect[field.metadata["effect"]] if "effect" in field.metadata else usual
        taken = input_type(field)
        if isinstance(taken, type) and attrs.has(taken):
            yield from _settings(taken, here, effect)
        elif field.init:
            required = field.default is attrs.NOTHING
            default = None if required else plain(_default(field))
            yield Setting(here, type_words(taken), default, required, _aliases(field), effect)


def _default(field: attrs.Attribute[Any]) -> Any:
    default: Any = field.default
    if hasattr(default, "factory"):
        return None if default.takes_self else default.factory()
    return default


def _aliases(field: attrs.Attribute[Any]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(alias.split(".")) for alias in field.metadata.get("aliases", ()))


def plain(value: Any) -> Any:
    """Return a value as TOML and JSON have it."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)


def type_words(kind: Any) -> str:
    """Return what a reader of TOML calls a type."""
    if get_origin(kind) in _ARRAYS:
        return f"array of {_many(type_words(get_args(kind)[0]))}"
    if get_origin(kind) in _TABLES:
        return f"table of {_many(type_words(get_args(kind)[1]))}"
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f'"{option}"' for option in get_args(kind))
    options = [option for option in get_args(kind) or (kind,) if option is not NoneType]
    if len(options) == 1 and isinstance(options[0], type) and issubclass(options[0], Enum):
        return " or ".join(f'"{member.value}"' for member in options[0])
    names = (getattr(option, "__name__", str(option)) for option in options)
    return " or ".join(_TYPES.get(name, name) for name in names)


def _many(words: str) -> str:
    """Several of what a type is called; words in quotation marks are themselves."""
    if '"' in words:
        return words
    return " or ".join(f"{w}es" if w.endswith("s") else f"{w}s" for w in words.split(" or "))
