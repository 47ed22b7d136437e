# SPDX-License-Identifier: Apache-2.0
"""A Kubernetes network of plugins, linked into eBPF: the names that a plugin may use.

Importing this package loads no library of the kernel: a plugin's tests and tools start fast.
"""

from __future__ import annotations

from pluggy import HookimplMarker

from axoneme.errors import (
    AttachError,
    AxonemeError,
    ConfigError,
    DatapathError,
    KeyNotFound,
    LayoutMismatch,
    LinkError,
    MapError,
    MapFull,
    NotSupported,
    PluginError,
    PluginFailed,
    PluginRejected,
    PolicyError,
    PoolExhausted,
    Problem,
    StateError,
    VerifierError,
)
from axoneme.model import (
    Address,
    Endpoint,
    PluginObject,
    Port,
    pack_address,
    parse_ports,
    unpack_address,
)

__version__: str

#: Marks a plugin's function as the implementation of the hook whose name it has.
hookimpl = HookimplMarker("axoneme")


def __getattr__(name: str) -> str:
    # The metadata of distributions takes milliseconds to import, and few ask for it.
    if name == "__version__":
        from importlib.metadata import version

        return version("axoneme")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Address",
    "AttachError",
    "AxonemeError",
    "ConfigError",
    "DatapathError",
    "Endpoint",
    "KeyNotFound",
    "LayoutMismatch",
    "LinkError",
    "MapError",
    "MapFull",
    "NotSupported",
    "PluginError",
    "PluginFailed",
    "PluginObject",
    "PluginRejected",
    "PolicyError",
    "PoolExhausted",
    "Port",
    "Problem",
    "StateError",
    "VerifierError",
    "__version__",
    "hookimpl",
    "pack_address",
    "parse_ports",
    "unpack_address",
]
