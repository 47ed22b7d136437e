# SPDX-License-Identifier: Apache-2.0
"""Metrics: what the agent and the datapath count, for Prometheus and for people."""

from __future__ import annotations

from .catalog import CATALOG
from .exposition import exposition
from .filling import Filling
from .measures import LogCounter, Measures
from .requests import MeasuredCni
from .serving import serve_metrics

__all__ = [
    "CATALOG",
    "Filling",
    "LogCounter",
    "MeasuredCni",
    "Measures",
    "exposition",
    "serve_metrics",
]
