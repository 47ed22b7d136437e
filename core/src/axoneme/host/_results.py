# SPDX-License-Identifier: Apache-2.0
"""Whether what a hook returned is what core can use."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from axoneme.model import (
    AddressPool,
    AssignmentPlan,
    Lookup,
    NodeIpam,
    PluginObject,
    PoolChoice,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def settled(hook: str, result: Any) -> Any:
    """Run what is left of a plugin's answer: a result that is iterated may still raise."""
    if inspect.iscoroutine(result):
        result.close()
    elif hook in _ITEMS and isinstance(result, Iterable):
        return tuple(result)
    return result


def misfit(hook: str, result: Any) -> str | None:
    """Return what is wrong with a settled answer, or None."""
    if inspect.isawaitable(result):
        return f"returned an awaitable from {hook}: hooks are synchronous"
    if hook in _VALUES and not isinstance(result, _VALUES[hook] | None):
        return f"returned {_short(result)} from {hook}: expected {_VALUES[hook].__name__}"
    if hook not in _ITEMS:
        return None
    wanted = _ITEMS[hook]()
    if not isinstance(result, tuple):
        return f"returned {_short(result)} from {hook}: expected a list of {wanted.__name__}"
    for item in result:
        if not isinstance(item, wanted):
            return f"returned {_short(item)} from {hook}: expected {wanted.__name__} items"
    return None


def _short(value: Any) -> str:
    return type(value).__name__ if value is not None else "None"


def _metric() -> type:
    # The client takes a tenth of a second to import: a plugin with metrics has done it.
    from prometheus_client import Metric

    return Metric


#: What each item of an answer is, and what an answer is that has no items.
_ITEMS: dict[str, Callable[[], type]] = {
    "axoneme_address_pools": lambda: AddressPool,
    "axoneme_explain": lambda: Lookup,
    "axoneme_metrics": _metric,
    "axoneme_objects": lambda: PluginObject,
}
_VALUES: dict[str, type] = {
    "axoneme_assign_networks": AssignmentPlan,
    "axoneme_choose_pools": PoolChoice,
    "axoneme_node_ipam": NodeIpam,
}
