# SPDX-License-Identifier: Apache-2.0
"""Words that a shell completes: names that the running agent knows."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from axoneme.cli._options import ask_agent
from axoneme.defaults import CONFIG_FILE

if TYPE_CHECKING:
    import click


def plugin_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The plugins that are installed or enabled."""
    return _matching((row["name"] for row in _status(ctx).get("plugins", ())), incomplete)


def pod_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The pods of this node, as namespace/name."""
    return _matching((row["name"] for row in _status(ctx).get("endpoints", ())), incomplete)


def _status(ctx: click.Context) -> dict[str, Any]:
    """What the agent says of itself; nothing where none answers, or may not be asked."""
    with suppress(Exception):
        found: dict[str, Any] = ask_agent(ctx.params.get("config") or CONFIG_FILE, "status")
        return found
    return {}


def _matching(names: Any, incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def setting_keys(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The keys of the configuration, by their own names."""
    from axoneme.config.editing import ConfigFile
    from axoneme.host import PluginHost

    with suppress(Exception):
        file = ConfigFile.read(ctx.params.get("config") or CONFIG_FILE, PluginHost())
        return _matching((setting.key for setting in file.settings), incomplete)
    return []
