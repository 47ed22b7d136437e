# SPDX-License-Identifier: Apache-2.0
"""Rows from one buffer for each field."""

from __future__ import annotations

from array import array

import pytest

from axoneme import MapError
from axoneme.datapath.tables import Rows


def columns(**changes):
    base = {
        "port": array("H", [80, 8080]),
        "addr": b"abcdefgh",
        "id": array("I", [1, 2]),
        "clock.drift": array("i", [-1, 1]),
        "total": array("Q", [3, 4]),
    }
    return base | changes


def test_columns_are_the_rows_that_objects_are(layout_of, flow, make_table):
    """Both ways in give the same rows, in network order where the kernel wants it."""
    from_columns, from_objects = Rows(layout_of("flows")), Rows(layout_of("flows"))
    from_columns.put_columns(columns())
    from_objects.put(
        [
            {"port": 80, "addr": b"abcd", "id": 1, "clock.drift": -1, "total": 3},
            {"port": 8080, "addr": b"efgh", "id": 2, "clock.drift": 1, "total": 4},
        ]
    )
    assert from_columns == from_objects


def test_one_value_stands_for_all_rows(layout_of):
    """An int, or the bytes of one row, need no column."""
    rows = Rows(layout_of("flows"))
    rows.put_columns(columns(addr=b"abcd", id=7, **{"clock.drift": -3}))
    assert [value["id"] for _, value in rows] == [7, 7]
    assert [value["clock.drift"] for _, value in rows] == [-3, -3]
    assert [key["addr"] for key, _ in rows] == [b"abcd", b"abcd"]


def test_the_columns_of_plain_records_are_key_and_value(layout_of):
    """A map of integers takes two columns."""
    rows = Rows(layout_of("plain"))
    rows.put_columns({"key": array("I", range(5)), "value": 9})
    assert dict(rows) == dict.fromkeys(range(5), 9)


def test_columns_go_into_the_map_without_rows_in_between(flows):
    """A table scatters and writes them in one go."""
    assert flows.write_columns(columns()) == 2
    assert flows[{"port": 8080, "addr": b"efgh"}]["total"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": array("I", [1])}, "the column 'id' has 4 bytes, not 2 rows of 4"),
        ({"id": array("I", [1, 2, 3])}, "the column 'port' has 4 bytes, not 3 rows of 2"),
        (
            {"id": array("H", [1, 2])},
            "the column 'id' has items 'H' instead of unsigned items of 4",
        ),
        (
            {"id": array("i", [1, 2])},
            "the column 'id' has items 'i' instead of unsigned items of 4",
        ),
        ({"clock.drift": array("I", [1, 2])}, "has items 'I' instead of signed items of 4 bytes"),
        ({"id": 1 << 32}, "id 4294967296 does not fit in 4 bytes"),
        ({"addr": 5}, "the column 'addr' takes bytes, not 5"),
        ({"totals": 5}, r"no field 'totals' for this column; did you mean 'total'\?"),
    ],
)
def test_a_column_that_does_not_fit_is_named(layout_of, change, message):
    """Length, item size, sign and name are checked before anything is written."""
    with pytest.raises(MapError, match=message):
        Rows(layout_of("flows")).put_columns(columns(**change))


def test_a_missing_column_is_named(layout_of):
    """Every field needs a column or a value."""
    given = columns()
    del given["total"]
    with pytest.raises(MapError, match="the column 'total' is missing"):
        Rows(layout_of("flows")).put_columns(given)


def test_no_rows_are_no_error(flows):
    """Empty columns write nothing."""
    empty = {
        name: type(column)() if name == "addr" else array(column.typecode)
        for name, column in columns().items()
    }
    assert flows.write_columns(empty) == 0
