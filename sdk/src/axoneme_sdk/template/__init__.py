# SPDX-License-Identifier: Apache-2.0
"""A new plugin, written from the files beside this one: it builds, and passes its own test."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["TemplateError", "check_name", "write"]

_FILES = Path(__file__).parent / "files"
_SUFFIX = ".in"  # so that no tool takes a template for what it makes
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RESERVED = frozenset({"agent", "axoneme", "core", "sdk"})


class TemplateError(ValueError):
    """The name or the directory cannot be used: the message says which would do."""


def check_name(name: str, taken: Iterable[str] = ()) -> None:
    """Raise TemplateError unless a plugin can have this name; `taken` are those that exist."""
    if not _NAME.fullmatch(name):
        raise TemplateError(
            f"{name!r} is no name for a plugin: use small letters, digits and single dashes, "
            "beginning with a letter"
        )
    if name in _RESERVED:
        raise TemplateError(f"{name!r} is a name of axoneme's own: choose another")
    # The names of packages and symbols have _ for -, so that these two would meet there.
    if _symbol(name) in map(_symbol, taken):
        raise TemplateError(f"a plugin {name!r} is installed: choose another name, or uninstall it")


def write(name: str, directory: Path, *, taken: Iterable[str] = ()) -> list[Path]:
    """Write the plugin `name` into a new directory; return its files.

    Raises:
        TemplateError: the name cannot be used, or the directory exists.
        OSError: the directory cannot be made.
    """
    check_name(name, taken)
    try:
        directory.mkdir(parents=True)
    except FileExistsError:
        raise TemplateError(f"{directory} exists: name another with --directory") from None
    words = {
        "NAME": name,
        "SYMBOL": _symbol(name),
        "CORE": _series("axoneme"),
        "SDK": _series("axoneme-sdk"),
    }
    return [_write(source, directory, words) for source in sorted(_FILES.rglob(f"*{_SUFFIX}"))]


def _write(source: Path, directory: Path, words: dict[str, str]) -> Path:
    place = str(source.relative_to(_FILES)).removesuffix(_SUFFIX)
    target = directory / place.replace("SYMBOL", words["SYMBOL"])
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text()
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    target.write_text(text)
    return target


def _symbol(name: str) -> str:
    return name.replace("-", "_")


def _series(distribution: str) -> str:
    """The range of versions that a plugin made now is for. A core that is not here is the SDK's."""
    try:
        found = version(distribution)
    except PackageNotFoundError:
        found = version("axoneme-sdk")
    major, minor = map(int, found.split(".")[:2])
    return f">={major}.{minor},<{major}.{minor + 1}"
