# SPDX-License-Identifier: Apache-2.0
"""YAML as Kubernetes takes it: what can be written as JSON, and nothing else.

Values are built from the parser's events. The library's own composer would do more than we want:
it ends the process on a file that is nested deeply, lets the second of two equal keys win, and
makes dates and numbers of base 60 of what people mean as text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml
from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DEEPEST = 64
#: Of values in one file, those that aliases repeat counted each time.
_MOST = 200_000
_MERGE = "<<"
_TAG = "tag:yaml.org,2002:"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS: Final = {
    form: value
    for word, value in (
        ("true", True),
        ("yes", True),
        ("on", True),
        ("false", False),
        ("no", False),
        ("off", False),
    )
    for form in (word, word.capitalize(), word.upper())
}
_NUMBERS: Final[tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...]] = (
    (re.compile(r"[-+]?(0|[1-9][0-9]{0,18})"), int),
    (re.compile(r"[-+]?0o?[0-7]{1,20}"), lambda text: int(text.replace("o", ""), 8)),
    (re.compile(r"[-+]?0x[0-9a-fA-F]{1,16}"), lambda text: int(text, 16)),
    (re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?"), float),
)


class YamlError(ValueError):
    """A sentence about a line, which counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@frozen
class Document:
    """One document of a file: its value, and the line at which each mapping in it begins."""

    value: Any
    line: int
    _lines: dict[int, int]

    def line_of(self, value: Any) -> int:
        """Return the line of a mapping of this document, and the document's for others."""
        return self._lines.get(id(value), self.line)


def read_documents(data: bytes) -> list[Document]:
    """Return all documents of a file but those that are empty.

    Raises YamlError.
    """
    builder = _Builder(yaml.parse(data, Loader=yaml.CSafeLoader))
    try:
        return [document for document in builder.documents() if document.value is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        text = ": ".join(filter(None, (error.context, error.problem)))
        # What is missing at the end is missed behind it.
        last = data.count(b"\n", 0, len(data) - 1) + 1
        line = min(mark.line + 1, last) if mark else 0
        raise YamlError(text or "is no YAML", line) from error
    except yaml.reader.ReaderError as error:
        line = data.count(b"\n", 0, max(error.position, 0)) + 1
        raise YamlError(f"is no text that YAML may have: {error.reason}", line) from error
    except yaml.YAMLError as error:
        raise YamlError(f"is no YAML: {error}", 0) from error


@define
class _Builder:
    """Values from events. What has an anchor is kept with its size, for aliases."""

    events: Iterator[Any]
    _count: int = field(default=0, init=False)
    _anchors: dict[str, tuple[Any, int]] = field(factory=dict, init=False)
    _lines: dict[int, int] = field(factory=dict, init=False)

    def documents(self) -> Iterator[Document]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors, self._lines = {}, {}
                first = next(self.events)
                value = self._value(first, 1)
                yield Document(value, first.start_mark.line + 1, self._lines)

    def _value(self, event: Any, depth: int) -> Any:
        line = event.start_mark.line + 1
        if depth > _DEEPEST:
            raise YamlError(f"is nested more than {_DEEPEST} deep", line)
        before = self._count
        self._add(1, line)
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, line)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            _check_tag(event, "seq")
            value = self._sequence(depth)
        else:
            _check_tag(event, "map")
            value = self._mapping(depth)
            self._lines[id(value)] = line
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._count - before
        return value

    def _add(self, number: int, line: int) -> None:
        self._count += number
        if self._count > _MOST:
            raise YamlError(f"has more than {_MOST} values", line)

    def _aliased(self, event: Any, line: int) -> Any:
        if event.anchor not in self._anchors:
            raise YamlError(f"the alias *{event.anchor} has no anchor before it", line)
        value, size = self._anchors[event.anchor]
        self._add(size, line)
        return value

    def _sequence(self, depth: int) -> list[Any]:
        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlError("a key must be a string", line)
            value = self._value(next(self.events), depth + 1)
            if event.value == _MERGE and event.implicit[0]:
                merged = _merge(value, line) | merged
            elif event.value in own:
                raise YamlError(f"has the key {event.value!r} twice", line)
            else:
                own[event.value] = value
        return merged | own


def _merge(value: Any, line: int) -> dict[str, Any]:
    parts = value if isinstance(value, list) else [value]
    merged: dict[str, Any] = {}
    for part in reversed(parts):
        if not isinstance(part, dict):
            raise YamlError("<< merges mappings only", line)
        merged |= part
    return merged


def _check_tag(event: Any, kind: str) -> None:
    if event.tag not in {None, "!", _TAG + kind}:
        raise YamlError(f"the tag {event.tag} means nothing here", event.start_mark.line + 1)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.tag is None:
        return _plain(text) if event.implicit[0] else text
    kind = event.tag.removeprefix(_TAG)
    if kind in {"!", "str"}:
        return text
    value = _plain(text)
    expected = {"null": type(None), "bool": bool, "int": int, "float": (int, float)}.get(kind)
    if expected is None or not isinstance(value, expected):  # type: ignore[arg-type]
        message = f"{text[:64]!r} with the tag {event.tag} means nothing here"
        raise YamlError(message, event.start_mark.line + 1)
    return value


def _plain(text: str) -> Any:
    """What a word without quotes means."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    for pattern, read in _NUMBERS:
        if pattern.fullmatch(text):
            return read(text)
    return text
