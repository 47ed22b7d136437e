# SPDX-License-Identifier: Apache-2.0
"""What a stage asked a map about a packet, for people who want to know why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from types import ModuleType


@frozen
class Lookup:
    """The keys that a stage asks a map for, in order: the first that has a row is its answer.

    Keys are as the map's table takes them. `codec` is that of a plugin's own map. What the map
    answers is read by core, from the kernel.
    """

    map: str
    keys: tuple[Any, ...] = field(converter=tuple)
    codec: ModuleType | None = field(default=None, eq=False, repr=False)
