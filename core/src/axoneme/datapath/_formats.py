# SPDX-License-Identifier: Apache-2.0
"""Layouts of maps without a codec, from letters of struct: those of objects that stand alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from axoneme.errors import MapError

from ._layout import Field, Layout, Record

#: One letter for a plain record, or one for each field of a struct.
Format: TypeAlias = str | Mapping[str, str]

_SIZES = {"b": 1, "h": 2, "i": 4, "q": 8}
_LETTER = re.compile(r"(?P<big>>?)(?P<integer>[bhiqBHIQ])|(?P<bytes>[1-9]\d*)s")


def layout_of(name: str, key: Format, value: Format) -> Layout:
    """Return the layout of a map by the formats of its key and value.

    Raises:
        MapError: a format is not an integer's letter, that with > for network order, or "6s".
    """
    return Layout(name, _record(name, "key", key), _record(name, "value", value))


def _record(name: str, role: str, given: Format) -> Record:
    if isinstance(given, str):
        one = _field(name, role, given, 0)
        return Record(given, one.size, (one,), plain=True)
    fields: list[Field] = []
    end, widest = 0, 1
    for field, letter in given.items():
        one = _field(name, field, letter, end)
        fields.append(one)
        end, widest = one.offset + one.size, max(widest, _alignment(one))
    return Record(f"struct {name}_{role}", end + -end % widest, tuple(fields))


def _field(name: str, field: str, letter: str, at: int) -> Field:
    found = _LETTER.fullmatch(letter)
    if found is None:
        raise MapError(
            f"{field}: {letter!r} is no format: write one of bhiqBHIQ, > before it for network "
            "order, or a number of bytes as in 6s",
            map=name,
        )
    if found["bytes"]:
        return Field(field, at, int(found["bytes"]), "bytes", field)
    size = _SIZES[found["integer"].lower()]
    signed = "signed" if found["integer"].islower() else "le"
    kind = "be" if found["big"] else signed
    # Where C puts an integer: at a multiple of its size.
    return Field(field, at + -at % size, size, kind, field)


def _alignment(field: Field) -> int:
    return 1 if field.kind == "bytes" else field.size
