# SPDX-License-Identifier: Apache-2.0
"""One archive with all that a bug report needs, and no secrets."""

from __future__ import annotations

from .archive import Dump
from .collect import Sysdump
from .redaction import REDACTED, Redactor, is_secret

__all__ = ["REDACTED", "Dump", "Redactor", "Sysdump", "is_secret"]
