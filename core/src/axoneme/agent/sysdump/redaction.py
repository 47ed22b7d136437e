# SPDX-License-Identifier: Apache-2.0
"""Take secrets out of what leaves a node.

A value is secret if its key's name says so, or if it is in a manifest of kind Secret. Texts keep
their lines and comments, so that what refers to a line still does. What was found to be secret is
taken out of everything else, too: of a log that prints it, for one.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

import yaml
from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REDACTED: Final = "[redacted]"
_SECRET = re.compile(
    r"secret|passw|passphrase|token|credential|psk|private|tls|cert|(^|[-_.a-z])keys?$",
    re.IGNORECASE,
)
#: Keys of a matchExpressions: `key` there is a label's name.
_EXPRESSION = {"key", "operator"}
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?(-----END \1-----|\Z)", re.DOTALL)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w+/=.~-]{8,}")
#: Shorter ones are found in too much that is none.
_SHORTEST = 8


def is_secret(name: str) -> bool:
    """Whether a key of this name has a value that is nobody's business."""
    return bool(_SECRET.search(name))


@define
class Redactor:
    """Redacts one document after the other, and remembers what it took out."""

    found: set[str] = field(factory=set, init=False)

    def value(self, value: Any, name: str = "", *, secret: bool = False) -> Any:
        """A value made of dicts, lists and scalars, without what is secret in it."""
        secret = secret or (is_secret(name) and not isinstance(value, bool))
        if isinstance(value, dict):
            return {key: self.value(one, str(key), secret=secret) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one, secret=secret) for one in value]
        if not secret or value is None or _is_path(value):
            return value
        self._remember(str(value))
        return REDACTED

    def toml(self, text: str) -> str:
        """A configuration as it is written; what cannot be redacted in place, as its values."""
        try:
            said = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            return self.lines(text)
        clean = self.value(said)
        shown = self.text(self.lines(text))
        if _is_clean(shown):
            return shown
        return f"# in other words, since there are secrets between its lines\n{clean}\n"

    def yaml(self, text: str) -> str:
        """Manifests, or JSON, as they are written."""
        try:
            found = [span for node in yaml.compose_all(text) for span in self._spans(node)]
        except yaml.YAMLError:
            return self.lines(text)
        for start, end, value in sorted(found, reverse=True):
            self._remember(value)
            lines = text.count("\n", start, end)  # what follows stays where it is
            text = text[:start] + f'"{REDACTED}"' + "\n" * lines + text[end:]
        return self.text(text)

    def _spans(self, root: Any) -> Iterator[tuple[int, int, str]]:
        kinds = dict(_pairs(root))
        secret = getattr(kinds.get("kind"), "value", "") == "Secret"
        for name, node in _pairs(root):
            yield from self._scalars(node, name, secret=secret and name in {"data", "stringData"})

    def _scalars(self, node: Any, name: str, *, secret: bool) -> Iterator[tuple[int, int, str]]:
        secret = secret or is_secret(name)
        if isinstance(node, yaml.MappingNode):
            names = {key for key, _ in _pairs(node)}
            for key, value in _pairs(node):
                known = "" if key == "key" and names >= _EXPRESSION else key
                yield from self._scalars(value, known, secret=secret)
        elif isinstance(node, yaml.SequenceNode):
            for one in node.value:
                yield from self._scalars(one, "", secret=secret)
        elif secret and node.value and not _is_path(node.value):
            yield node.start_mark.index, node.end_mark.index, str(node.value)

    def lines(self, text: str) -> str:
        """A text of which nobody knows what it is: lines with a key and a value."""
        return "\n".join(map(self._line, text.split("\n")))

    def _line(self, line: str) -> str:
        key, sign, value = re.match(r"([^:=#]*)([:=]?)(.*)", line).groups()  # type: ignore[union-attr]
        bare = value.strip().strip("\"',")
        known = not bare or bare in {"true", "false"} or _is_path(bare)
        if not sign or known or not is_secret(key.strip().strip("\"'- ")):
            return line
        self._remember(bare)
        return f'{key}{sign} "{REDACTED}"'

    def text(self, text: str) -> str:
        """A text without private keys, passwords of HTTP, and what was secret elsewhere."""
        text = _PEM.sub(lambda match: f"-----BEGIN {match[1]}----- {REDACTED}", text)
        text = _BEARER.sub(rf"\1 {REDACTED}", text)
        for one in sorted(self.found, key=len, reverse=True):
            text = text.replace(one, REDACTED)
        return text

    def _remember(self, value: str) -> None:
        if len(value) >= _SHORTEST and value != REDACTED:
            self.found.add(value)


def _pairs(node: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(str(key.value), value) for key, value in node.value]


def _is_path(value: Any) -> bool:
    """Where a secret is, is none."""
    return isinstance(value, str) and value.startswith("/") and "\n" not in value


def _is_clean(text: str) -> bool:
    """Whether a configuration still is one, and there is nothing left to be taken out."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return bool(Redactor().value(said) == said)
