# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a CNI request, by the specification's numbers."""

from __future__ import annotations

from enum import IntEnum

from axoneme.errors import AxonemeError


class Code(IntEnum):
    """The numbers of the specification, and from 100 on our own."""

    INCOMPATIBLE_VERSION = 1
    UNSUPPORTED_FIELD = 2
    UNKNOWN_CONTAINER = 3
    INVALID_ENVIRONMENT = 4
    IO_FAILURE = 5
    NOT_DECODED = 6
    INVALID_CONFIG = 7
    TRY_AGAIN = 11
    NOT_AVAILABLE = 50
    NO_ADDRESSES = 100
    NOT_WIRED = 101
    NOT_ATTACHED = 102
    WRONG_VERDICT = 103
    DIFFERENT = 104
    FAILED = 199


class CniError(AxonemeError):
    """Read the message: the request was refused, and nothing of it stays. `code` says why."""

    def __init__(self, code: Code, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.details = details

    def __str__(self) -> str:
        """Return the sentence with the details."""
        return f"{self.message}: {self.details}" if self.details else self.message
