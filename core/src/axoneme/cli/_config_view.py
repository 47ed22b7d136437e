# SPDX-License-Identifier: Apache-2.0
"""How a configuration looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from axoneme.cli.rows import table
from axoneme.config.editing import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from axoneme.cli.rows import Columns, Row
    from axoneme.config import Setting
    from axoneme.config.editing import ConfigFile

_COLUMNS: Columns = {
    "KEY": "key",
    "VALUE": lambda row: spelled(row["value"]),
    "LINE": lambda row: str(row["line"]) if row["written"] else "default",
    "CHANGES BY": "effect",
}


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


def config_view(rows: Sequence[Row]) -> Iterator[str]:
    """What the file says stands out; the rest are defaults."""
    return table(rows, _COLUMNS, {"VALUE": _default_ink, "LINE": _default_ink})


def _default_ink(row: Row, text: str) -> str:
    return text if row["written"] else click.style(text, dim=True)
