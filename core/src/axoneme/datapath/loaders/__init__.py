# SPDX-License-Identifier: Apache-2.0
"""Loaders: how an object becomes programs in the kernel. One interface, two implementations.

libbpf takes compiled objects, linked or alone; bcc takes C text and compiles it on the node, for
programs that stand alone.
"""

from __future__ import annotations

from .base import LoadedMap, LoadedObject, LoadedProgram, Loader, LoadRequest
from .bcc import BccLoader
from .libbpf import LibbpfLoader

__all__ = [
    "BccLoader",
    "LibbpfLoader",
    "LoadRequest",
    "LoadedMap",
    "LoadedObject",
    "LoadedProgram",
    "Loader",
    "own_loader",
]


def own_loader(name: str) -> Loader | None:
    """Core's own loader of a name, for the bpffs where it usually is."""
    if name == LibbpfLoader.name:
        return LibbpfLoader()
    if name == BccLoader.name:
        return BccLoader()
    return None
