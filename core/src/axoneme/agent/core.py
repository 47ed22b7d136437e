# SPDX-License-Identifier: Apache-2.0
"""Core's own implementations of hooks: the two loaders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from axoneme import hookimpl
from axoneme.datapath import BccLoader, LibbpfLoader

if TYPE_CHECKING:
    from axoneme.datapath import Loader


class CoreHooks:
    """What core answers, before any plugin is asked."""

    def __init__(self) -> None:
        self.bpffs = Path("/sys/fs/bpf")

    @hookimpl
    def axoneme_loader(self, name: str) -> Loader | None:
        """libbpf and bcc."""
        if name == LibbpfLoader.name:
            return LibbpfLoader()
        if name == BccLoader.name:
            return BccLoader(self.bpffs)
        return None
