# SPDX-License-Identifier: Apache-2.0
"""What numbers and addresses are called: the one place that monitor, explain and lists ask."""

from __future__ import annotations

from .live import LiveNames
from .names import Names, device_name
from .stored import StoredNames

__all__ = ["LiveNames", "Names", "StoredNames", "device_name"]
