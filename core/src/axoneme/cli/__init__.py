# SPDX-License-Identifier: Apache-2.0
"""The command `axoneme`."""

from __future__ import annotations

from axoneme.cli.main import main

__all__ = ["main"]
