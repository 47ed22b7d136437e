# SPDX-License-Identifier: Apache-2.0
"""What the kernel holds of ours: programs, maps and their rows, some of each."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict

from axoneme.agent.kernel_lists import list_endpoints, list_flows, list_ipcache, list_policy
from axoneme.datapath import map_type_names, read_attached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from axoneme.agent.names import Names
    from axoneme.datapath import PinnedMaps

#: Those that are shown with names, instead of as they are.
_NAMED: Final[Mapping[str, Callable[[PinnedMaps, Names], Iterable[Any]]]] = {
    "endpoints": list_endpoints,
    "ipcache": list_ipcache,
    "policy": list_policy,
    "conntrack": list_flows,
}
#: Nothing that can be read as rows, or nothing that lasts.
_LEFT_OUT: Final = frozenset({"events", "probes", "cidrs"})


def maps(pinned: PinnedMaps) -> dict[str, Any]:
    """What the kernel says of each pinned map, those of plugins too."""
    names = map_type_names()
    return {
        pin: asdict(info) | {"type": names.get(info.type, str(info.type))}
        for pin, info in pinned.infos().items()
    }


def attached(bpffs: Path) -> list[dict[str, Any]]:
    """Every program that is attached, with its stages and who is in them."""
    return [asdict(one) for one in read_attached(bpffs)]


def rows_of(pinned: PinnedMaps, names: Names, most: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """For each map of core a function that returns its first rows."""
    for name in sorted(pinned.names - _LEFT_OUT):
        yield name, _rows(name, pinned, names, most)


def _rows(name: str, pinned: PinnedMaps, names: Names, most: int) -> Callable[[], Any]:
    def read() -> list[Any]:
        named = _NAMED.get(name)
        rows = named(pinned, names) if named else _plain(pinned, name)
        found = list(islice(rows, most + 1))
        return found if len(found) <= most else [*found[:most], f"more than {most} rows"]

    return read


def _plain(pinned: PinnedMaps, name: str) -> Iterator[Any]:
    """Rows with their bytes in hexadecimal; those of an array that hold nothing are left out."""
    for rows in pinned.table(name).scan():
        for key, value in rows:
            if _holds(value):
                yield {"key": _shown(key), "value": _shown(value)}


def _holds(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds, value.values()))
    if isinstance(value, tuple):
        return any(map(_holds, value))
    return any(value) if isinstance(value, bytes) else bool(value)


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_shown(one) for one in value]
    return _text(value) if isinstance(value, bytes) else value


def _text(data: bytes) -> str:
    """A string of C as text, all else in hexadecimal."""
    text = data.rstrip(b"\0")
    return text.decode() if text and text.isascii() and text.decode().isprintable() else data.hex()
