# SPDX-License-Identifier: Apache-2.0
"""Core's own section."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import field, frozen

_DEVICE = re.compile(r"[^/:\s]{1,15}")
_U32 = 0xFFFFFFFF


def _absolute(_: object, __: object, value: Path | None) -> None:
    if value is not None and not value.is_absolute():
        raise ValueError(f"must be an absolute path, not {str(value)!r}")


def _distinct(_: object, __: object, value: tuple[str, ...]) -> None:
    twice = sorted({name for name in value if value.count(name) > 1})
    if twice:
        raise ValueError(f"has {', '.join(map(repr, twice))} more than once")


def _devices(_: object, __: object, value: tuple[str, ...]) -> None:
    for name in value:
        if not _DEVICE.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a device")


def _entries(_: object, __: object, value: int) -> None:
    if not 1 <= value <= _U32:
        raise ValueError(f"must be 1 to {_U32}, not {value}")


@frozen
class MapEntries:
    """How many entries the shared maps have.

    A map that is pinned keeps its size until the agent starts without the pin.
    """

    endpoints: int = field(default=65536, validator=_entries)


@frozen
class AgentConfig:
    """The settings of the agent itself: the section `[agent]`.

    `plugins` says which plugins are on, in no particular order; the others are not imported.
    `bpffs` is where programs and maps are pinned, and `cgroup` the cgroup2 directory that the
    socket trunks are attached to ("" attaches none). `state-dir` holds desired state, `run-dir`
    the agent's socket. `uplinks` are the devices by which packets leave the node.
    """

    plugins: tuple[str, ...] = field(default=(), validator=_distinct)
    bpffs: Path = field(default=Path("/sys/fs/bpf"), validator=_absolute)
    cgroup: Path | None = field(default=None, validator=_absolute)
    state_dir: Path = field(default=Path("/var/lib/axoneme"), validator=_absolute)
    run_dir: Path = field(default=Path("/run/axoneme"), validator=_absolute)
    uplinks: tuple[str, ...] = field(default=(), validator=[_distinct, _devices])
    map_entries: MapEntries = MapEntries()
