# SPDX-License-Identifier: Apache-2.0
"""Which line of a TOML text a key is on: tomllib reads values and forgets where they were.

Only an error asks for this. A valid text is cut into statements, and each is parsed alone.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Keys of tables and indices of arrays, from the top of the text.
KeyPath: TypeAlias = tuple[str | int, ...]

# A string of several lines may end in up to two quotes of its own before the closing three.
_TOKEN = re.compile(
    r'''
      """ (?: \\. | [^\\] )*? (?: "{3,5} | \Z )
    | \'\'\' .*? (?: \'{3,5} | \Z )
    | " (?: \\. | [^"\\\n] )* "
    | ' [^'\n]* '
    | \# [^\n]*
    | [\[\]{}\n]
    ''',
    re.DOTALL | re.VERBOSE,
)


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement with the number of its first line; an empty line is one too."""
    start, line, depth = 0, 1, 0
    for token in _TOKEN.finditer(text):
        kind = token.group()
        depth += (kind in ("[", "{")) - (kind in ("]", "}"))
        if kind == "\n" and depth <= 0:
            statement = text[start : token.end()]
            yield line, statement
            start, line, depth = token.end(), line + statement.count("\n"), 0
    if text[start:].strip():
        yield line, text[start:]


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line on which the statement of every key of a valid text begins."""
    lines: dict[KeyPath, int] = {}
    sizes: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, statement in statements(text):
        tree = tomllib.loads(statement)
        header = statement.lstrip(" \t")
        if header.startswith("["):
            table = _header(tree, sizes, is_array=header.startswith("[["))
            for depth in range(len(table)):
                lines.setdefault(table[: depth + 1], line)
        else:
            _note(tree, table, line, lines)
    return lines


def _header(tree: dict[str, Any], sizes: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    """Return where the statements below a header go: into the last table of each array."""
    path: KeyPath = ()
    node: Any = tree
    while isinstance(node, dict) and node:
        (key, node) = next(iter(node.items()))
        if path in sizes:
            path = (*path, sizes[path] - 1)
        path = (*path, key)
    if is_array:
        sizes[path] = sizes.get(path, 0) + 1
    return (*path, sizes[path] - 1) if path in sizes else path


def _note(value: Any, path: KeyPath, line: int, lines: dict[KeyPath, int]) -> None:
    if path:
        lines.setdefault(path, line)
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        _note(item, (*path, key), line, lines)
