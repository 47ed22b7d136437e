# SPDX-License-Identifier: Apache-2.0
"""What keeps the node as it should be: each thing by its own reconciler, one after the other.

A reconciler compares what is with what should be, writes the difference, and says what it was. One
that fails is named, and keeps none of the others from their work.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from attrs import define, field, frozen

from axoneme.errors import AxonemeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_log = logging.getLogger(__name__)


class Reconciler(Protocol):
    """One kind of thing that is kept as it should be."""

    @property
    def name(self) -> str:
        """What it keeps, for people: "routes"."""
        ...

    def repair(self) -> Iterable[object]:
        """Make it as it should be; what was not, each with a text that names it."""
        ...


@frozen
class Finding:
    """Something that was not as it should be; `repaired` says whether it is now."""

    reconciler: str
    text: str
    repaired: bool = True

    def __str__(self) -> str:
        return f"{'repaired' if self.repaired else 'cannot repair'}: {self.text}"


@frozen
class Repair:
    """A reconciler that is a function."""

    name: str
    _function: Callable[[], Iterable[object]]

    def repair(self) -> Iterable[object]:
        """Call it."""
        return self._function()


@define
class Reconcilers:
    """The reconcilers of a node, in the order in which they build on each other."""

    _all: list[Reconciler] = field(factory=list)

    def add(self, reconciler: Reconciler) -> None:
        """Take one in, behind the others.

        Raises:
            ValueError: there is one of this name.
        """
        if reconciler.name in self.names:
            raise ValueError(f"there is a reconciler {reconciler.name!r} already")
        self._all.append(reconciler)

    @property
    def names(self) -> tuple[str, ...]:
        """What is kept, in order."""
        return tuple(one.name for one in self._all)

    def repair(self) -> list[Finding]:
        """Let each do its work once; all that was found."""
        return [finding for one in self._all for finding in _repair(one)]


def _repair(one: Reconciler) -> list[Finding]:
    try:
        return [Finding(one.name, str(drift)) for drift in one.repair()]
    except (AxonemeError, OSError) as error:
        return [Finding(one.name, f"{one.name}: {error}", repaired=False)]
    except Exception as error:  # noqa: BLE001 - the others are to be done all the same
        _log.exception("the reconciler of %s failed", one.name)
        text = f"{one.name}: {type(error).__name__}: {error}"
        return [Finding(one.name, text, repaired=False)]
