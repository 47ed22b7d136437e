# SPDX-License-Identifier: Apache-2.0
"""Every error that axoneme raises: a closed hierarchy below AxonemeError.

The message says what is wrong, where, and what to do; the attributes carry the same facts for
programs. An outcome that is expected, such as a plugin that is rejected, is a value instead.
"""

from __future__ import annotations

import errno as errno_names
import os
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LOG_TAIL = 12


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that a reader who wrote `name` probably meant, if any is close."""
    from difflib import get_close_matches

    found = get_close_matches(name, sorted(candidates), n=1)
    return found[0] if found else None


class AxonemeError(Exception):
    """Catch this to handle everything that axoneme reports; its text says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        """Return the sentence; the classes below put their facts beside it."""
        return self.message

    def __reduce__(self) -> tuple[Callable[..., AxonemeError], tuple[Any, ...], dict[str, Any]]:
        """Restore the attributes without calling __init__, whose arguments differ by class."""
        return _restore, (type(self), self.args), self.__dict__


def _restore(kind: type[AxonemeError], args: tuple[Any, ...]) -> AxonemeError:
    return kind.__new__(kind, *args)


@frozen
class Problem:
    """One thing that is wrong in what people write; `line` counts from 1, 0 where there is none."""

    key: str
    file: str
    line: int
    message: str
    nearest: str | None = None

    def __str__(self) -> str:
        """Return file, line, key, sentence and hint."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return ": ".join(filter(None, (place, self.key, self.message))) + hint


class ConfigError(AxonemeError, ValueError):
    """Correct every problem that is listed and read the configuration again: none of it is used."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class PolicyError(AxonemeError, ValueError):
    """Correct every problem that is listed: what the policy said before stays in force."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class PluginError(AxonemeError):
    """Look up `plugin` in `axoneme plugins`: the fault is in it and the others go on."""

    def __init__(self, message: str, *, plugin: str) -> None:
        super().__init__(message)
        self.plugin = plugin

    def __str__(self) -> str:
        """Return the sentence with the plugin."""
        return f"plugin {self.plugin}: {self.message}"


class PluginRejected(PluginError):  # noqa: N818 - named for what happened
    """Install a version that fits, or take the plugin out of `plugins`: it was never used."""


class PluginFailed(PluginError):  # noqa: N818 - named for what happened
    """Report this to the plugin's author: it failed in a hook, and its own error is the cause."""


class DatapathError(AxonemeError):
    """Read the message: programs could not be prepared, and what was attached before stays."""


class LinkError(DatapathError):
    """Rebuild or disable the plugin whose object does not link with the others."""

    def __init__(self, message: str, *, plugin: str = "") -> None:
        super().__init__(message)
        self.plugin = plugin


class VerifierError(DatapathError):
    """Change the stage as the last lines of the verifier's log say, or disable its plugin."""

    def __init__(
        self,
        message: str,
        *,
        plugin: str = "",
        stage: str = "",
        trunk: str = "",
        log: Iterable[str] = (),
    ) -> None:
        super().__init__(message)
        self.plugin = plugin
        self.stage = stage
        self.trunk = trunk
        self.log = tuple(log)

    def __str__(self) -> str:
        """Return the sentence with the place and the end of the log."""
        named = (("plugin", self.plugin), ("stage", self.stage), ("trunk", self.trunk))
        place = ", ".join(f"{kind} {name}" for kind, name in named if name)
        lines = [f"{self.message} ({place})" if place else self.message, *self.log[-_LOG_TAIL:]]
        if len(self.log) > _LOG_TAIL:
            lines.append(f"({len(self.log) - _LOG_TAIL} lines before these)")
        return "\n  ".join(lines)


class AttachError(DatapathError):
    """Free the attach point, or allow what `errno` says is missing, and try again."""

    def __init__(self, message: str, *, attach_point: str, errno: int = 0) -> None:
        super().__init__(message)
        self.attach_point = attach_point
        self.errno = errno

    def __str__(self) -> str:
        """Return the sentence with the attach point and what the system says."""
        text = f"{self.attach_point}: {self.message}"
        if not self.errno:
            return text
        name = errno_names.errorcode.get(self.errno, str(self.errno))
        return f"{text}: {os.strerror(self.errno)} ({name})"


class NotSupported(DatapathError):  # noqa: N818 - named for what happened
    """Use a kernel that has `feature` (`since` says which), or disable the plugin that needs it."""

    def __init__(self, message: str, *, feature: str, since: str = "") -> None:
        super().__init__(message)
        self.feature = feature
        self.since = since

    def __str__(self) -> str:
        """Return the sentence with the kernel that has the feature."""
        return f"{self.message} (needs kernel {self.since})" if self.since else self.message


class MapError(AxonemeError):
    """Read the message: an operation on the map `map` failed and changed nothing else."""

    def __init__(self, message: str, *, map: str) -> None:  # noqa: A002 - what it is
        super().__init__(message)
        self.map = map

    def __str__(self) -> str:
        """Return the sentence with the map."""
        return f"map {self.map}: {self.message}"


class LayoutMismatch(MapError):  # noqa: N818 - named for what happened
    """Give the changed struct a new layout number, or remove the pin that has the old layout."""

    def __init__(
        self,
        message: str,
        *,
        map: str,  # noqa: A002 - what it is
        expected: str,
        found: str,
    ) -> None:
        super().__init__(message, map=map)
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        """Return the sentence with the map and both layouts."""
        return f"{super().__str__()} (layout {self.found}, expected {self.expected})"


class MapFull(MapError):  # noqa: N818 - named for what happened
    """Give the map more entries in the configuration, or remove some of its own."""


class KeyNotFound(MapError, KeyError):  # noqa: N818 - named for what happened
    """Treat this as a KeyError: the map has no such key."""


class StateError(AxonemeError):
    """Correct or remove the file that is named: what it says cannot be used, or is taken."""

    def __init__(self, message: str, *, file: str) -> None:
        super().__init__(message)
        self.file = file

    def __str__(self) -> str:
        """Return the sentence with the file."""
        return f"{self.file}: {self.message}"


class PoolExhausted(AxonemeError):  # noqa: N818 - named for what happened
    """Give the pool `pool` more addresses in the configuration, or remove what holds them."""

    def __init__(self, message: str, *, pool: str, size: int) -> None:
        super().__init__(message)
        self.pool = pool
        self.size = size

    def __str__(self) -> str:
        """Return the sentence with the pool and its size."""
        return f"pool {self.pool} of {self.size}: {self.message}"


class AddressRefused(AxonemeError):  # noqa: N818 - named for what happened
    """Ask for another address or none, or correct what chooses the pod's pool."""

    def __init__(self, message: str, *, address: str = "") -> None:
        super().__init__(message)
        self.address = address

    def __str__(self) -> str:
        """Return the sentence with the address, if the pod asked for one."""
        return f"address {self.address}: {self.message}" if self.address else self.message
