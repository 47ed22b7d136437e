# SPDX-License-Identifier: Apache-2.0
"""Which plugins are installed: read from metadata, with nothing of theirs imported."""

from __future__ import annotations

import importlib
import logging
from importlib.metadata import MetadataPathFinder, distributions
from typing import TYPE_CHECKING, Final

from attrs import frozen
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution, EntryPoint

GROUP: Final = "axoneme.plugins"

_log = logging.getLogger(__name__)


@frozen
class Installed:
    """One plugin as its distribution's metadata describes it."""

    name: str
    module: str
    distribution: str
    version: str
    requires: tuple[str, ...]


def entry_points() -> Iterator[EntryPoint]:
    """Yield the entry points of plugins in every distribution that can be imported now.

    Of two distributions with one name the first on the path counts, as it does for an import.
    A distribution with broken metadata is passed over: it may have nothing to do with us.
    """
    importlib.invalidate_caches()
    MetadataPathFinder().invalidate_caches()  # Python 3.11 forgets to, and 3.12 does it twice
    seen: set[str] = set()
    for distribution in distributions():
        try:
            points = tuple(distribution.entry_points.select(group=GROUP))
            if not points:
                continue  # before its metadata is parsed, which takes longer than all else here
            name = canonicalize_name(distribution.metadata["Name"])
        except Exception as error:  # noqa: BLE001 - metadata of a stranger
            _log.warning("metadata of %s cannot be read: %s", _place(distribution), error)
            continue
        if name not in seen:
            seen.add(name)
            yield from points


def installed(points: Iterable[EntryPoint]) -> dict[str, tuple[Installed, ...]]:
    """Return the plugins by name; a name with two of them is the vetting's to refuse."""
    found: dict[str, tuple[Installed, ...]] = {}
    for point in points:
        found[point.name] = (*found.get(point.name, ()), _describe(point))
    return dict(sorted(found.items()))


def _describe(point: EntryPoint) -> Installed:
    distribution = point.dist
    if distribution is None:
        return Installed(point.name, point.value, "", "", ())
    return Installed(
        name=point.name,
        module=point.value,
        distribution=distribution.metadata["Name"],
        version=distribution.version or "",
        requires=tuple(distribution.requires or ()),
    )


def _place(distribution: Distribution) -> str:
    return str(getattr(distribution, "_path", distribution))
