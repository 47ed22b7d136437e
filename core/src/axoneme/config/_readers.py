# SPDX-License-Identifier: Apache-2.0
"""Readers: one function for each type that a setting may have, made from the type once.

A reader takes a TOML value and returns what it stands for, with the faults it found. Conversion
is strict: "5" is no integer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from enum import Enum
from functools import partial
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path, PurePath, PurePosixPath
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import attrs
import msgspec

from axoneme.config._document import Fault
from axoneme.config._lines import KeyPath
from axoneme.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What was read, and what is wrong with it: with a fault the value means nothing.
Reading: TypeAlias = tuple[Any, list[Fault]]
Reader: TypeAlias = Callable[[Any, KeyPath], Reading]

_SCALARS = (str, int, float, bool, datetime, date, time)
_TEXTS: dict[Any, str] = {
    Path: "path",
    PurePath: "path",
    PurePosixPath: "path",
    IPv4Address: "IPv4 address",
    IPv4Interface: "IPv4 address with a prefix length",
    IPv4Network: "IPv4 network",
    IPv6Address: "IPv6 address",
    IPv6Interface: "IPv6 address with a prefix length",
    IPv6Network: "IPv6 network",
}
_ARRAYS: dict[Any, Callable[[Iterable[Any]], Any]] = {
    frozenset: frozenset,
    list: list,
    set: set,
    tuple: tuple,
    Sequence: tuple,
}
_TABLES = (dict, Mapping)
_TOML_NAMES = {
    bool: "a boolean",
    dict: "a table",
    float: "a float",
    int: "an integer",
    list: "an array",
    str: "a string",
}


def toml_name(value: Any) -> str:
    """Return what a reader of TOML calls a value."""
    return _TOML_NAMES.get(type(value), f"a {type(value).__name__}")


def reader(kind: Any, nested: Callable[[type], Reader]) -> Reader:
    """Return the reader of a type; `nested` makes those of attrs classes.

    Raises TypeError for a type that no TOML value stands for.
    """
    kind = getattr(kind, "__supertype__", kind)
    if kind is Any:
        return _read_anything
    if isinstance(kind, type) and attrs.has(kind):
        return nested(kind)
    inner = partial(reader, nested=nested)
    origin = get_origin(kind) or kind
    if origin in (Union, UnionType):
        return _union(kind, inner)
    if origin in _ARRAYS:
        return _array(origin, get_args(kind), inner)
    if origin in _TABLES:
        return _table(kind, inner)
    return _scalar(kind)


def _read_anything(value: Any, _: KeyPath) -> Reading:
    return value, []


def _union(kind: Any, inner: Callable[[Any], Reader]) -> Reader:
    options = get_args(kind)
    readers = [inner(option) for option in options if option is not NoneType]
    # TOML has no null: where a string could mean nothing else, an empty one says None.
    has_none = NoneType in options and str not in options

    def read(value: Any, path: KeyPath) -> Reading:
        if has_none and value == "":
            return None, []
        readings = [read_option(value, path) for read_option in readers]
        for reading in readings:
            if not reading[1]:
                return reading
        # A fault below the key itself is of the option that was meant.
        deep = [faults for _, faults in readings if any(f.path != path for f in faults)]
        if deep or len(readings) == 1:
            return None, deep[0] if deep else readings[0][1]
        sentences = dict.fromkeys(fault.message for _, faults in readings for fault in faults)
        return None, [Fault(path, ", and ".join(sentences))]

    return read


def _array(origin: Any, arguments: tuple[Any, ...], inner: Callable[[Any], Reader]) -> Reader:
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return _fixed_array([inner(argument) for argument in arguments])
    read_item = inner(arguments[0] if arguments else Any)

    def read(value: Any, path: KeyPath) -> Reading:
        if not isinstance(value, list):
            return None, [Fault(path, f"expected an array, got {toml_name(value)}")]
        items, faults = _items(value, [read_item] * len(value), path)
        if faults:
            return None, faults
        try:
            return _ARRAYS[origin](items), []
        except TypeError as error:
            return None, [Fault(path, f"items of a set must be simple values: {error}")]

    return read


def _fixed_array(readers: list[Reader]) -> Reader:
    def read(value: Any, path: KeyPath) -> Reading:
        if not isinstance(value, list) or len(value) != len(readers):
            got = f"{len(value)} items" if isinstance(value, list) else toml_name(value)
            return None, [Fault(path, f"expected an array of {len(readers)} items, got {got}")]
        items, faults = _items(value, readers, path)
        return tuple(items), faults

    return read


def _items(value: list[Any], readers: list[Reader], path: KeyPath) -> tuple[list[Any], list[Fault]]:
    readings = [
        read(item, (*path, index))
        for index, (item, read) in enumerate(zip(value, readers, strict=True))
    ]
    return [item for item, _ in readings], [fault for _, faults in readings for fault in faults]


def _table(kind: Any, inner: Callable[[Any], Reader]) -> Reader:
    key_kind, item_kind = get_args(kind) or (str, Any)
    if key_kind is not str:
        raise TypeError(f"{kind} has keys that are no str, as all keys of TOML are")
    read_item = inner(item_kind)

    def read(value: Any, path: KeyPath) -> Reading:
        if not isinstance(value, dict):
            return None, [Fault(path, f"expected a table, got {toml_name(value)}")]
        readings = {key: read_item(item, (*path, key)) for key, item in value.items()}
        faults = [fault for _, found in readings.values() for fault in found]
        return {key: item for key, (item, _) in readings.items()}, faults

    return read


def _scalar(kind: Any) -> Reader:
    if kind in _TEXTS:
        return _text(kind)
    if get_origin(kind) is Literal:
        return _choice(get_args(kind), kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice([member.value for member in kind], kind)
    base = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if base not in _SCALARS:
        raise TypeError(f"{kind} is no type that a value of TOML can have")

    def read(value: Any, path: KeyPath) -> Reading:
        try:
            return msgspec.convert(value, kind, strict=True), []
        except msgspec.ValidationError as error:
            sentence = str(error).replace("`", "")
            return None, [Fault(path, sentence[0].lower() + sentence[1:])]

    return read


def _text(kind: Any) -> Reader:
    def read(value: Any, path: KeyPath) -> Reading:
        if not isinstance(value, str):
            return None, [Fault(path, f"expected a string, got {toml_name(value)}")]
        try:
            return kind(value), []
        except ValueError:
            return None, [Fault(path, f"{value!r} is no {_TEXTS[kind]}")]

    return read


def _choice(options: Iterable[Any], kind: Any) -> Reader:
    listed = ", ".join(map(repr, options))
    names = [option for option in options if isinstance(option, str)]

    def read(value: Any, path: KeyPath) -> Reading:
        try:
            return msgspec.convert(value, kind, strict=True), []
        except msgspec.ValidationError:
            near = nearest(value, names) if isinstance(value, str) else None
            return None, [Fault(path, f"{value!r} is none of {listed}", near)]

    return read
