# SPDX-License-Identifier: Apache-2.0
"""What numbers of the section [tc] may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.config.durations import LONGEST_DURATION, parse_duration

if TYPE_CHECKING:
    from attrs import Attribute

_LEAST_LEASE = 0.01  # seconds: below, the coarse clock has too few ticks
_U32 = 0xFFFFFFFF


def lease(_: object, __: Attribute[Any], value: int | str) -> None:
    """Validate a setting that is a span of time in which something is taken for granted."""
    if not _LEAST_LEASE <= parse_duration(value) <= LONGEST_DURATION:
        raise ValueError(f"must be from 10 milliseconds to 366 days, not {value!r}")


def u32(_: object, __: Attribute[Any], value: int) -> None:
    """Validate a setting that is a number of packets."""
    if not 0 <= value <= _U32:
        raise ValueError(f"must be 0 to {_U32}, not {value}")


def entries(_: object, __: Attribute[Any], value: int) -> None:
    """Validate a setting that is the size of a map."""
    if not 1 <= value <= _U32:
        raise ValueError(f"must be 1 to {_U32}, not {value}")
