# SPDX-License-Identifier: Apache-2.0
"""The archive: what could be had, in files, and a list of what could not, with the reason."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .redaction import Redactor

#: Of one file; what is longer loses its beginning, or as JSON its end.
MOST_BYTES: Final = 16 << 20


@define
class Dump:
    """Parts are added one after the other; a part that fails is named, and the others follow."""

    name: str
    redactor: Redactor
    parts: dict[str, bytes] = field(factory=dict, init=False)
    missing: dict[str, str] = field(factory=dict, init=False)

    def add(self, path: str, make: Callable[[], Any]) -> None:
        """Add what a function makes: text and bytes as they are, all else as JSON."""
        try:
            made = make()
            if isinstance(made, bytes):
                made = made.decode(errors="replace")
            if not isinstance(made, str):
                made = json.dumps(made, indent=1, default=str) + "\n"
        except Exception as error:  # noqa: BLE001 - a bug report is made when something is broken
            self.missing[path] = f"{type(error).__name__}: {error}"
            return
        # Last: what another part says is secret may be in this one.
        self.parts[path] = made[-MOST_BYTES:].encode()

    def write(self, file: Path) -> None:
        """Write the archive in one step, for its owner alone."""
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            with (
                os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw,
                tarfile.open(fileobj=raw, mode="w:gz") as tar,
            ):
                for path, data in sorted({**self.parts, "README.txt": self._readme()}.items()):
                    text = self.redactor.text(data.decode(errors="replace")).encode()
                    entry = tarfile.TarInfo(f"{self.name}/{path}")
                    entry.size, entry.mtime, entry.mode = len(text), int(time.time()), 0o600
                    tar.addfile(entry, io.BytesIO(text))
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)

    def _readme(self) -> bytes:
        lines = [
            f"{self.name}: what this node knows of axoneme.",
            "",
            "Values whose keys tell that they are secret are [redacted], and so is what is equal",
            "to one of them elsewhere. Look through it before you give it away: names of pods,",
            "labels and addresses are in it.",
            "",
            "Files:",
            *(f"  {path} ({len(data)} bytes)" for path, data in sorted(self.parts.items())),
            "",
            "Missing:",
            *(f"  {path}: {reason}" for path, reason in sorted(self.missing.items())),
            *([] if self.missing else ["  nothing"]),
        ]
        return ("\n".join(lines) + "\n").encode()
