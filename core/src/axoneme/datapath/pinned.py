# SPDX-License-Identifier: Apache-2.0
"""What is pinned, read by somebody who is no agent: it loads, writes and repairs nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from attrs import define, field

from axoneme.errors import DatapathError, nearest

from ._kernel import map_info
from .images import shared_codec
from .pins import Pins, open_pin, pin_name
from .tables import Layout, Table

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from ._kernel import MapInfo


@define
class PinnedMaps:
    """The maps below a bpffs, whether an agent runs or not.

    with PinnedMaps(Path("/sys/fs/bpf")) as maps:
        rows = maps.table("endpoints").read()
    """

    bpffs: Path
    _fds: dict[str, int] = field(factory=dict, init=False)

    @property
    def names(self) -> frozenset[str]:
        """The maps of core, pinned or not."""
        return frozenset(shared_codec().MAPS)

    def table(self, name: str) -> Table:
        """A map of core, in the layout that this core knows.

        Raises:
            DatapathError: it is not pinned.
        """
        codec = shared_codec()
        if name not in codec.MAPS:
            hint = nearest(name, codec.MAPS)
            meant = f"; did you mean {hint}?" if hint else ""
            raise DatapathError(f"core has no map {name}{meant}")
        return Table(self._open(pin_name(name, codec.MAPS[name][3])), Layout.of(codec, name))

    def infos(self) -> dict[str, MapInfo]:
        """What the kernel says of each map that is pinned, those of plugins too, by its pin."""
        directory = Pins(self.bpffs).maps
        if not directory.is_dir():
            return {}
        return {path.name: map_info(self._open(path.name)) for path in sorted(directory.iterdir())}

    def _open(self, pin: str) -> int:
        path = Pins(self.bpffs).maps / pin
        if pin not in self._fds:
            if not path.exists():
                raise DatapathError(
                    f"no map is pinned at {path}: no agent has run here, or it used another bpffs; "
                    "give its configuration with --config, in the node's own namespaces"
                )
            self._fds[pin] = open_pin(path)
        return self._fds[pin]

    def close(self) -> None:
        """Let go of them."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
