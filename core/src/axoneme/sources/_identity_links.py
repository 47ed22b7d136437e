# SPDX-License-Identifier: Apache-2.0
"""Which number labels have: by-labels/<digest of the labels>, a symbolic link to ../<number>.json.

A link is made by one system call that fails if there is one, so that it is never half written, and
the first that is made decides.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from axoneme.errors import StateError
from axoneme.model.identity import FIRST_OF_LABELS
from axoneme.sources._files import SUFFIX, claim_symlink

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.model.labels import Labels

LAST_OF_LABELS: Final = 0xFFFF


def is_number(text: str) -> bool:
    """Whether a text is a number that labels can have, as files are named by it."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and text[0] != "0"):
        return False
    return FIRST_OF_LABELS <= int(text) <= LAST_OF_LABELS


class IdentityLinks:
    """The links of a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, labels: Labels) -> Path:
        """The link of these labels."""
        digest = sha256(msgspec.json.encode(dict(labels.items()))).hexdigest()
        return self.directory / digest

    def number(self, labels: Labels) -> int | None:
        """The number that labels are linked to.

        Raises:
            StateError: there is something that is no link of ours.
        """
        path = self.path(labels)
        try:
            target = str(path.readlink())
        except FileNotFoundError:
            return None
        except OSError as error:
            text = "is no symbolic link: remove it, and the labels get a number"
            raise StateError(text, file=str(path)) from error
        stem = target.removeprefix("../").removesuffix(SUFFIX)
        if target != f"../{stem}{SUFFIX}" or not is_number(stem):
            raise StateError(
                f"leads to {target!r}, which is no identity: remove it", file=str(path)
            )
        return int(stem)

    def claim(self, labels: Labels, number: int) -> bool:
        """Link labels to a number, unless they are linked already; whether we did."""
        return claim_symlink(self.path(labels), f"../{number}{SUFFIX}")

    def remove(self, labels: Labels) -> None:
        """Remove a link; nothing happens if it is not there."""
        self.path(labels).unlink(missing_ok=True)
