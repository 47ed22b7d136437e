# SPDX-License-Identifier: Apache-2.0
"""What becomes of a plugin, as values."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


class Status(StrEnum):
    """Where a plugin stands."""

    ON = "on"
    OFF = "off"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"


@frozen
class PluginState:
    """One line of `axoneme plugins`; `reason` says why a plugin is not on, or nothing."""

    name: str
    status: Status
    reason: str = ""
    distribution: str = ""
    version: str = ""


@frozen
class Rejected:
    """An enabled plugin that cannot be used, and why."""

    plugin: str
    reason: str
    distribution: str = ""
    version: str = ""


@frozen
class Vetted:
    """A plugin that fits: its module is imported, its hooks are right, its settings are known."""

    plugin: str
    distribution: str
    version: str
    module: Any = field(repr=False)
    settings: type = field(repr=False)


@frozen
class Change:
    """What a configuration did to the plugins that are on.

    A plugin that was on and is rejected now is among `removed`; `changed` have another section.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @classmethod
    def between(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
        """Compare the sections of the plugins that were on with those of the ones that are."""
        kept = before.keys() & after.keys()
        return cls(
            added=tuple(sorted(after.keys() - kept)),
            removed=tuple(sorted(before.keys() - kept)),
            changed=tuple(sorted(name for name in kept if before[name] != after[name])),
        )

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(self.added or self.removed or self.changed)
