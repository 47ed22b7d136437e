# SPDX-License-Identifier: Apache-2.0
"""Spans of time as people write them: a number of seconds, or "2h13m20s"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrs import Attribute

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
#: Seconds that a setting may have.
LEAST_DURATION, LONGEST_DURATION = 1, 366 * 86400


def parse_duration(value: int | str) -> float:
    """The seconds of a span.

    Raises:
        ValueError: it is no span of time.
    """
    if isinstance(value, int):
        return float(value)
    parts = _PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError(
            f"{value!r} is no span of time: write seconds, or such as '1h30m' or '90s'"
        )
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def duration(_: object, __: Attribute[Any], value: int | str) -> None:
    """Validate a setting that is a span of time."""
    if not LEAST_DURATION <= parse_duration(value) <= LONGEST_DURATION:
        raise ValueError(f"must be from 1 second to 366 days, not {value!r}")


def span(_: object, __: Attribute[Any], value: int | str) -> None:
    """Validate a setting that is a span of time, which may be none at all."""
    if not 0 <= parse_duration(value) <= LONGEST_DURATION:
        raise ValueError(f"must be from nothing to 366 days, not {value!r}")
