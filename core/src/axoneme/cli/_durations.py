# SPDX-License-Identifier: Apache-2.0
"""Times on the command line: 90, 90s, 5m, 1h30m."""

from __future__ import annotations

import math
from typing import Any

import click


class Duration(click.ParamType[float]):
    """A time, as seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds; a number alone is seconds."""
        from axoneme.config.durations import parse_duration

        try:
            number = float(value)
        except ValueError:
            try:
                return parse_duration(value)
            except ValueError:
                number = math.nan
        if not 0 <= number < math.inf:
            self.fail(f"{value!r} is no time: write one such as 30s, 5m or 1h30m", param, ctx)
        return number
