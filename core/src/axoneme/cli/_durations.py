# SPDX-License-Identifier: Apache-2.0
"""Times on the command line: 90, 90s, 5m, 1h30m."""

from __future__ import annotations

import re
from typing import Any

import click

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+|\d+(?:\.\d+)?")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)?")


class Duration(click.ParamType[float]):
    """A time, as seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds; a number alone is seconds."""
        if not isinstance(value, str):
            return float(value)
        if not _WHOLE.fullmatch(value):
            self.fail(f"{value!r} is no time: write one such as 30s, 5m or 1h30m", param, ctx)
        return sum(float(n) * _SECONDS[unit or "s"] for n, unit in _PART.findall(value))
