# SPDX-License-Identifier: Apache-2.0
"""Rows of one layout into rows of another: every row as Python would have turned it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from axoneme.datapath._convert import convert
from axoneme.datapath._formats import layout_of
from axoneme.datapath._pack import pack_rows

LETTERS = ["B", "H", "I", "Q", ">H", ">I", ">Q", "b", "h", "i", "q", "3s", "6s"]
NAMES = ["one", "two", "three"]
FORMATS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(LETTERS), min_size=1)


def turned(old, new, rows):
    """What a conversion makes of rows, decoded, and how many it left behind."""
    keys, values = pack_rows(old, rows)
    made = convert(old, new, keys, values)
    return list(new.decode(made.keys, made.values)), made.left


def test_fields_go_where_their_names_are():
    """Wider, narrower, in another order of bytes, and elsewhere."""
    old = layout_of("m", "I", {"a": "H", "b": "Q", "c": ">H", "d": "4s"})
    new = layout_of("m", "I", {"d": "6s", "c": "I", "b": "I", "a": ">Q", "e": "I"})
    rows, left = turned(old, new, [(7, {"a": 1, "b": 2, "c": 3, "d": b"four"})])
    assert rows == [(7, {"d": b"four\0\0", "c": 3, "b": 2, "a": 1, "e": 0})]
    assert left == 0


def test_rows_that_do_not_fit_are_left_and_counted():
    """Of numbers, signs and bytes alike; the others come in their order."""
    old = layout_of("m", "I", {"a": "I", "s": "i", "b": "4s"})
    new = layout_of("m", "I", {"a": "H", "s": "I", "b": "2s"})
    fine = {"a": 65535, "s": 1, "b": b"ab\0\0"}
    bad = [{**fine, "a": 65536}, {**fine, "s": -1}, {**fine, "b": b"abc\0"}]
    rows, left = turned(old, new, [(0, fine), *enumerate(bad, 1), (4, fine)])
    assert [key for key, _ in rows] == [0, 4]
    assert left == 3


def test_a_key_that_had_more_to_it_is_left():
    """Without that part it would be another row's; where it was zero nothing is lost."""
    old = layout_of("m", {"a": "I", "zone": "I"}, "I")
    new = layout_of("m", {"a": "I"}, "I")
    rows, left = turned(old, new, [({"a": 1, "zone": 0}, 5), ({"a": 1, "zone": 2}, 6)])
    assert (rows, left) == ([({"a": 1}, 5)], 1)


def test_no_rows_are_no_rows():
    """An empty map has nothing to convert."""
    layout = layout_of("m", "I", "Q")
    assert turned(layout, layout, []) == ([], 0)


def _value(letter):
    """The values that a field of a format can have."""
    if letter.endswith("s"):
        size = int(letter[:-1])
        return st.binary(min_size=size, max_size=size)
    bits = 8 << "bhiq".index(letter[-1].lower())
    if letter[-1].islower():
        return st.integers(-1 << bits - 1, (1 << bits - 1) - 1)
    return st.integers(0, (1 << bits) - 1) | st.integers(0, 3)


def _as(value, letter):
    """A value in another format; None if it does not fit."""
    if letter.endswith("s"):
        size = int(letter[:-1])
        fits = isinstance(value, bytes) and not any(value[size:])
        return value[:size].ljust(size, b"\0") if fits else None
    bits = 8 << "bhiq".index(letter[-1].lower())
    low, high = (-1 << bits - 1, 1 << bits - 1) if letter[-1].islower() else (0, 1 << bits)
    return value if low <= value < high else None


@given(st.data(), FORMATS, FORMATS)
def test_any_layout_turns_into_any_other_as_the_model_says(data, old, new):
    """By name; bytes and numbers have nothing to say to each other."""
    rows = data.draw(st.lists(st.fixed_dictionaries({n: _value(f) for n, f in old.items()})))
    expected, left = [], 0
    for number, row in enumerate(rows):
        common = {
            name: _as(row[name], letter)
            for name, letter in new.items()
            if name in old and old[name].endswith("s") == letter.endswith("s")
        }
        if None in common.values():
            left += 1
            continue
        zero = {n: bytes(int(f[:-1])) if f.endswith("s") else 0 for n, f in new.items()}
        expected.append((number, zero | common))
    made = turned(layout_of("m", "I", old), layout_of("m", "I", new), list(enumerate(rows)))
    assert made == (expected, left)
