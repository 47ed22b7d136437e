# SPDX-License-Identifier: Apache-2.0
"""A Kubernetes network of plugins, linked into eBPF: the names that a plugin may use.

Importing this package loads no library of the kernel: a plugin's tests and tools start fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme._lazy import lazy

if TYPE_CHECKING:
    from axoneme.errors import (
        AddressRefused,
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
    from axoneme.hookspecs import hookimpl
    from axoneme.model import (
        Address,
        AddressPool,
        AddressRange,
        Assignment,
        AssignmentPlan,
        Endpoint,
        NodeIpam,
        PluginObject,
        PoolChoice,
        PoolDemand,
        PoolPart,
        PoolState,
        Port,
        pack_address,
        parse_ports,
        unpack_address,
    )

__version__: str

__all__ = [
    "Address",
    "AddressPool",
    "AddressRange",
    "AddressRefused",
    "Assignment",
    "AssignmentPlan",
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
    "NodeIpam",
    "NotSupported",
    "PluginError",
    "PluginFailed",
    "PluginObject",
    "PluginRejected",
    "PolicyError",
    "PoolChoice",
    "PoolDemand",
    "PoolExhausted",
    "PoolPart",
    "PoolState",
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

_find = lazy(__name__, __all__, ("axoneme.errors", "axoneme.model", "axoneme.hookspecs"))


def __getattr__(name: str) -> Any:
    # The metadata of distributions takes milliseconds to import, and few ask for it.
    if name == "__version__":
        from importlib.metadata import version

        return version("axoneme")
    return _find(name)
