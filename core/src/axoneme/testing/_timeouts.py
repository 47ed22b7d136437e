# SPDX-License-Identifier: Apache-2.0
"""Times to wait, longer where everything is slow, as in an emulated machine."""

from __future__ import annotations

import os


def scaled(seconds: float) -> float:
    """Return the seconds to wait on this machine: AXONEME_TIME_SCALE says how slow it is."""
    return seconds * float(os.environ.get("AXONEME_TIME_SCALE", "1"))
