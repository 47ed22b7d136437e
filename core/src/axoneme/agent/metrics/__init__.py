# SPDX-License-Identifier: Apache-2.0
"""Metrics: what the agent and the datapath count, for Prometheus and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axoneme._lazy import lazy

if TYPE_CHECKING:
    from .catalog import CATALOG, Described
    from .durations import Durations
    from .exposition import exposition
    from .filling import Filling
    from .measures import LogCounter, Measures
    from .requests import MeasuredCni
    from .serving import serve_metrics

__all__ = [
    "CATALOG",
    "Described",
    "Durations",
    "Filling",
    "LogCounter",
    "MeasuredCni",
    "Measures",
    "exposition",
    "serve_metrics",
]

_MODULES = ("catalog", "durations", "serving", "measures", "requests", "filling", "exposition")

# The operator has metrics too, and no datapath.
__getattr__ = lazy(__name__, __all__, [f"{__name__}.{module}" for module in _MODULES])
