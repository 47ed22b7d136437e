# SPDX-License-Identifier: Apache-2.0
"""Public names of a package that are imported when they are first asked for.

The command asks a running agent and ends: what it does not need of a package, it does not wait for.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


def lazy(package: str, names: Collection[str], modules: Sequence[str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package: a name is in the first module that has it."""

    def find(name: str) -> Any:
        for module in modules if name in names else ():
            found = vars(import_module(module))
            if name in found:
                setattr(sys.modules[package], name, found[name])
                return found[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
