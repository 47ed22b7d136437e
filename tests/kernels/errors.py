# SPDX-License-Identifier: Apache-2.0
"""The errors of the kernels tier."""

from __future__ import annotations


class SetupError(Exception):
    """A kernel cannot be prepared or booted here; the message says what to do."""


class GuestError(Exception):
    """A guest ended without an exit code of its command."""


class ResultsError(Exception):
    """A result file is not there, or is no JUnit XML."""
