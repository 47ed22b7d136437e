# SPDX-License-Identifier: Apache-2.0
"""From what YAML said to wire types: msgspec converts, and tells of the first fault only.

So a document that it refuses is walked along its types, to find every field that is unknown,
missing or of another type.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import inspect

from axoneme.errors import nearest

if TYPE_CHECKING:
    from axoneme.wire.faults import Faults, Path

T = TypeVar("T", bound=msgspec.Struct)

_LISTED = 12
_NAMES: dict[type, str] = {
    bool: "a boolean",
    dict: "a mapping",
    float: "a number with a fraction",
    int: "a number",
    list: "a list",
    str: "a string",
    type(None): "nothing",
}
#: What YAML has for the types of which a field may have one or another.
_KINDS: dict[type, type] = {
    inspect.IntType: int,
    inspect.StrType: str,
    inspect.StructType: dict,
}
_SCALARS: dict[type, tuple[type, str]] = {
    inspect.BoolType: (bool, "true or false"),
    inspect.IntType: (int, "a number"),
    inspect.StrType: (str, "a string"),
}


class Wire(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A mapping that people write: a field that it has not is a typo, or not supported yet."""


#: Fields that a wire type leaves out since they are not supported yet, by the type.
LATER: dict[type, frozenset[str]] = {}


def later(*names: str) -> Any:
    """Mark a wire type with the fields of its kind that are not supported yet."""

    def mark(kind: type[T]) -> type[T]:
        LATER[kind] = frozenset(names)
        return kind

    return mark


def decode(kind: type[T], document: Any, faults: Faults, path: Path = ()) -> T | None:
    """Return a document as a wire type; None with what is wrong in `faults`."""
    try:
        return msgspec.convert(document, kind, strict=True)
    except msgspec.ValidationError as error:
        known = len(faults.found)
        _walk(_shape(kind), document, path, faults)
        if len(faults.found) == known:
            faults.add(path, _sentence(error))
    return None


def named(value: Any) -> str:
    """Return what a writer of YAML calls a value."""
    return _NAMES.get(type(value), f"a {type(value).__name__}")


@cache
def _shape(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


def _sentence(error: msgspec.ValidationError) -> str:
    text = str(error).replace("`", "")
    return text[0].lower() + text[1:]


def _walk(shape: inspect.Type, value: Any, path: Path, faults: Faults) -> None:
    if isinstance(shape, inspect.UnionType):
        _union(shape, value, path, faults)
    elif isinstance(shape, inspect.StructType):
        _struct(shape, value, path, faults)
    elif isinstance(shape, inspect.VarTupleType):
        _list(shape, value, path, faults)
    elif isinstance(shape, inspect.DictType):
        _mapping(shape, value, path, faults)
    elif isinstance(shape, inspect.LiteralType):
        _literal(shape, value, path, faults)
    elif type(shape) in _SCALARS:
        _is(*_SCALARS[type(shape)], value, path, faults)


def _union(shape: inspect.UnionType, value: Any, path: Path, faults: Faults) -> None:
    """Walk the one type that is not nothing; of several, say which there are."""
    options = [option for option in shape.types if not isinstance(option, inspect.NoneType)]
    if value is None and len(options) < len(shape.types):
        return
    if len(options) == 1:
        _walk(options[0], value, path, faults)
        return
    kinds = {_KINDS[type(option)]: option for option in options}
    if type(value) in kinds:
        _walk(kinds[type(value)], value, path, faults)
    else:
        listed = " or ".join(sorted(_NAMES[kind] for kind in kinds))
        faults.add(path, f"expected {listed}, got {named(value)}")


def _list(shape: inspect.VarTupleType, value: Any, path: Path, faults: Faults) -> None:
    if _is(list, "a list", value, path, faults):
        for index, item in enumerate(value):
            _walk(shape.item_type, item, (*path, index), faults)


def _mapping(shape: inspect.DictType, value: Any, path: Path, faults: Faults) -> None:
    if _is(dict, "a mapping", value, path, faults):
        for key, item in value.items():
            if _is_name(key, path, faults):
                _walk(shape.value_type, item, (*path, key), faults)


def _struct(shape: inspect.StructType, value: Any, path: Path, faults: Faults) -> None:
    if not _is(dict, "a mapping", value, path, faults):
        return
    fields = {field.encode_name: field for field in shape.fields}
    not_yet = LATER.get(shape.cls, frozenset())
    for key, item in value.items():
        if not _is_name(key, path, faults):
            continue
        if key in fields:
            _walk(fields[key].type, item, (*path, key), faults)
        elif key in not_yet:
            faults.add((*path, key), "is not supported yet")
        else:
            _unknown(key, (fields.keys() | not_yet), path, faults)
    for name, field in fields.items():
        if field.required and name not in value:
            faults.add((*path, name), "is missing")


def _unknown(key: str, known: frozenset[str] | set[str], path: Path, faults: Faults) -> None:
    near = nearest(key, known)
    message = "unknown field"
    if near is None and len(known) <= _LISTED:
        message += f"; here are {', '.join(sorted(known))}"
    faults.add((*path, key), message, near)


def _literal(shape: inspect.LiteralType, value: Any, path: Path, faults: Faults) -> None:
    if value not in shape.values or isinstance(value, bool):
        near = nearest(value, map(str, shape.values)) if isinstance(value, str) else None
        listed = ", ".join(map(str, shape.values))
        text = repr(value) if isinstance(value, str) else named(value)
        faults.add(path, f"{text} is none of {listed}", near)


def _is(kind: type, what: str, value: Any, path: Path, faults: Faults) -> bool:
    # A boolean is a number to Python, and not to a reader.
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return True
    faults.add(path, f"expected {what}, got {named(value)}")
    return False


def _is_name(key: Any, path: Path, faults: Faults) -> bool:
    if isinstance(key, str):
        return True
    faults.add(path, f"has the key {key!r}, which is {named(key)}: put it in quotes")
    return False
