# SPDX-License-Identifier: Apache-2.0
"""How a configuration looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape

from axoneme.cli.views import new_table
from axoneme.config.editing import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from axoneme.config import Setting
    from axoneme.config.editing import ConfigFile


def rows_of(file: ConfigFile, settings: Iterable[Setting]) -> list[dict[str, Any]]:
    """A row a key, as JSON takes it."""
    rows = []
    for setting in settings:
        found = file.value(setting)
        rows.append(
            {
                "key": setting.key,
                "value": found.value,
                "written": ".".join(found.written),
                "line": found.line,
                "type": setting.type,
                "default": setting.default,
                "aliases": [".".join(alias) for alias in setting.aliases],
                "effect": setting.effect.name.lower(),
            }
        )
    return rows


def config_table(rows: Sequence[dict[str, Any]]) -> Table:
    """What the file says stands out; the rest are defaults."""
    table = new_table("Configuration", "KEY", "VALUE", "LINE", "CHANGES BY")
    table.columns[0].no_wrap = True
    for row in rows:
        said = bool(row["written"])
        value = escape(spelled(row["value"]))
        table.add_row(
            row["key"],
            value if said else f"[dim]{value}[/]",
            str(row["line"]) if said else "[dim]default[/]",
            row["effect"],
        )
    return table
