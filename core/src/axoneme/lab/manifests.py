# SPDX-License-Identifier: Apache-2.0
"""Manifests that people give to the agents of a lab."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from axoneme.errors import AxonemeError
from axoneme.lab.lab import hint

if TYPE_CHECKING:
    from pathlib import Path

    from axoneme.lab.lab import Lab

_SUFFIXES: Final = (".yaml", ".yml", ".json")


def apply(lab: Lab, file: Path) -> Path:
    """Give the agents a manifest, in one step; where it is.

    Raises:
        AxonemeError: it cannot be read, or would be passed over.
    """
    if file.suffix not in _SUFFIXES or file.name.startswith("."):
        raise AxonemeError(f"{file} is not called as a manifest is: NAME.yaml")
    target = _applied(lab, file.name)
    draft = target.with_name(f".{target.name}")
    try:
        shutil.copyfile(file, draft)
    except OSError as error:
        raise AxonemeError(f"{file} cannot be read: {error.strerror}") from error
    draft.replace(target)
    return target


def withdraw(lab: Lab, name: str) -> None:
    """Take a manifest away.

    Raises:
        AxonemeError: there is none of this name.
    """
    target = _applied(lab, name)
    if not target.exists():
        meant = hint(name, (path.name for path in lab.manifests.glob("[!.]*")))
        raise AxonemeError(f"lab {lab.name} has no manifest {name}{meant}")
    target.unlink()


def _applied(lab: Lab, name: str) -> Path:
    lab.settings  # noqa: B018 - it says so if the lab is not up
    return lab.manifests / name
