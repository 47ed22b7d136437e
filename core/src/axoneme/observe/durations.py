# SPDX-License-Identifier: Apache-2.0
"""How long ago, as people write it."""

from __future__ import annotations

import re

from axoneme.errors import AxonemeError

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_seconds(text: str) -> float:
    """The seconds of a span such as 90, 90s or 1h30m.

    Raises:
        AxonemeError: it is none.
    """
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        return float(text)
    except ValueError:
        raise AxonemeError(f"{text!r} is no span of time: write 30s, 5m or 1h30m") from None
