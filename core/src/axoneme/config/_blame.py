# SPDX-License-Identifier: Apache-2.0
"""Which fields of an attrs class refuse their values: constructing it names the first at best."""

from __future__ import annotations

import inspect
import typing
from itertools import compress
from typing import Any

import attrs
from attrs import NOTHING, Converter

if typing.TYPE_CHECKING:
    from attrs import Attribute


def input_type(field: Attribute[Any]) -> Any:
    """Return the type that a field takes: that of its converter's argument, if it has one."""
    if field.converter is None:
        return Any if field.type is None else field.type
    convert = _function(field.converter)
    try:
        first = next(iter(inspect.signature(convert).parameters))
        return typing.get_type_hints(_annotated(convert)).get(first, Any)
    except (NameError, StopIteration, TypeError, ValueError):
        return Any  # a builtin, or annotations for type checkers only


def _function(convert: Any) -> Any:
    """Return the callable that an attrs.Converter wraps."""
    return convert.converter if isinstance(convert, Converter) else convert  # type: ignore[attr-defined]


def _annotated(convert: Any) -> Any:
    return inspect.getattr_static(convert, "__init__") if isinstance(convert, type) else convert


def blame(settings: type, given: dict[str, Any]) -> dict[str, Exception]:
    """Return the exception of each given field whose converter or validator refuses its value.

    Each field is tried by itself, on an instance that has all fields that could be set.
    """
    instance: Any = object.__new__(settings)
    fields = attrs.fields(settings)
    errors: dict[str, Exception] = {}
    values: dict[str, Any] = {}
    for field in fields:
        if field.name in given or field.default is not NOTHING:
            try:
                values[field.name] = _converted(field, given, instance)
            except Exception as error:  # noqa: BLE001 - a plugin's converter may raise anything
                errors[field.name] = error
            else:
                object.__setattr__(instance, field.name, values[field.name])
    for field in fields:
        if field.validator is not None and field.name in values:
            try:
                field.validator(instance, field, values[field.name])
            except Exception as error:  # noqa: BLE001 - nor is a validator bound to ValueError
                errors[field.name] = error
    # A validator that misses another field would be silent if that one were right.
    incomplete = len(values) < len(fields)
    return {
        name: error
        for name, error in errors.items()
        if name in given and not (incomplete and isinstance(error, AttributeError))
    }


def _converted(field: Attribute[Any], given: dict[str, Any], instance: Any) -> Any:
    value: Any = field.default
    if field.name in given:
        value = given[field.name]
    elif hasattr(value, "factory"):
        value = value.factory(instance) if value.takes_self else value.factory()
    convert: Any = field.converter
    if convert is None:
        return value
    extra = (instance, field)
    wanted = (getattr(convert, "takes_self", False), getattr(convert, "takes_field", False))
    return _function(convert)(value, *compress(extra, wanted))
