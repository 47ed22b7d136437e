# SPDX-License-Identifier: Apache-2.0
"""What a plugin hands to the datapath: a compiled object and the values for this node."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen
from attrs.validators import instance_of, min_len

if TYPE_CHECKING:
    from attrs import Attribute

Knob: TypeAlias = int | bool | bytes

_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_U32 = 0xFFFFFFFF


def _symbols(_: object, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{attribute.name} must be a mapping, not {value!r}")
    for name in value:
        if not isinstance(name, str) or not _SYMBOL.fullmatch(name):
            raise ValueError(f"{attribute.name}: {name!r} is no name of C")


def _knobs(_: object, attribute: Attribute[Any], value: Mapping[str, Any]) -> None:
    for name, knob in value.items():
        if not isinstance(knob, (int, bytes)):
            raise TypeError(f"{attribute.name}: {name} must be int, bool or bytes, not {knob!r}")
        if isinstance(knob, int) and not -(1 << 63) <= knob < 1 << 64:
            raise ValueError(f"{attribute.name}: {name} = {knob} does not fit 64 bits")


def _sizes(_: object, attribute: Attribute[Any], value: Mapping[str, Any]) -> None:
    for name, size in value.items():
        if isinstance(size, bool) or not isinstance(size, int):
            raise TypeError(f"{attribute.name}: {name} must be a number of entries, not {size!r}")
        if not 1 <= size <= _U32:
            raise ValueError(f"{attribute.name}: {name} = {size} must be 1 to {_U32}")


def _needs(_: object, attribute: Attribute[Any], value: frozenset[Any]) -> None:
    for feature in value:
        if not isinstance(feature, str) or not feature:
            raise TypeError(f"{attribute.name}: {feature!r} is no name of a feature")


def _frozen_mapping(value: Any) -> Any:
    return MappingProxyType(dict(value)) if isinstance(value, Mapping) else value


def _features(value: Any) -> frozenset[str]:
    # A bare string is iterable too: its letters would be taken for features.
    if isinstance(value, str):
        raise TypeError(f"needs must be a set of features: write frozenset({{{value!r}}})")
    return frozenset(value)


def _source(_: object, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, Traversable):
        raise TypeError(
            f"{attribute.name} must be a path in a package, such as "
            f'importlib.resources.files("axoneme_x") / "bpf" / "x.bpf.o", not {value!r}'
        )


@frozen
class PluginObject:
    """One eBPF object of a plugin, with what this node's settings make of it.

    `knobs` are the object's `const volatile` variables and `sizes` the entries of its maps;
    `needs` names the kernel features without which the plugin is rejected, and `loader` the
    loader that takes the object. Stages, their order and their reasons are in the object itself.
    """

    source: Traversable = field(validator=_source)
    knobs: Mapping[str, Knob] = field(
        factory=dict, converter=_frozen_mapping, validator=[_symbols, _knobs]
    )
    sizes: Mapping[str, int] = field(
        factory=dict, converter=_frozen_mapping, validator=[_symbols, _sizes]
    )
    needs: frozenset[str] = field(default=frozenset(), converter=_features, validator=_needs)
    loader: str = field(default="libbpf", validator=[instance_of(str), min_len(1)])
