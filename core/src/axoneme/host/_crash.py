# SPDX-License-Identifier: Apache-2.0
"""The border around a plugin's code: whatever it raises becomes one error that names it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from axoneme.errors import PluginFailed

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def blaming(plugin: str, where: str) -> Iterator[None]:
    """Raise PluginFailed, with what was raised as its cause, for anything but an interrupt.

    A plugin that ends the process, by sys.exit, has crashed like any other.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginFailed(f"raised {_describe(error)} in {where}", plugin=plugin) from error


def _describe(error: BaseException) -> str:
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001 - a plugin's own exception may fail even here
        text = ""
    name = type(error).__name__
    return f"{name}: {text.splitlines()[0]}" if text else name
