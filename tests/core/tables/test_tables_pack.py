# SPDX-License-Identifier: Apache-2.0
"""Rows from objects, dicts and bytes, and what is said of a row that does not fit."""

from __future__ import annotations

import struct
from enum import IntEnum
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axoneme import MapError
from axoneme.datapath.tables import Rows

KEY = b"\x1f\x90\0\0abcd"
VALUE = struct.pack("=IiQ", 7, -5, 9)


def only_row(layout, row):
    rows = Rows(layout)
    rows.put([row])
    return next(rows.batches())


def test_an_object_is_read_by_attribute(layout_of, flow):
    """Key and value come from one object; dotted fields from the objects inside."""
    row = flow(8080, b"abcd", 7, SimpleNamespace(drift=-5), 9)
    assert only_row(layout_of("flows"), row) == (KEY, VALUE)


def test_attributes_of_other_names_are_mapped(layout_of):
    """A mapping leads from a field to whatever the object calls it."""
    layout = layout_of("flows", key={"addr": "pod.address"}, value={"clock.drift": "drift"})
    pod = SimpleNamespace(address=b"abcd")
    row = SimpleNamespace(port=8080, pod=pod, id=7, drift=-5, total=9)
    assert only_row(layout, row) == (KEY, VALUE)


def test_a_dict_is_read_by_field(layout_of):
    """Dotted fields may be nested or flat, in a dict for the row or in a pair."""
    layout = layout_of("flows")
    key = {"port": 8080, "addr": b"abcd"}
    nested = {"id": 7, "clock": {"drift": -5}, "total": 9}
    flat = {"id": 7, "clock.drift": -5, "total": 9}
    assert only_row(layout, key | nested) == (KEY, VALUE)
    assert only_row(layout, key | flat) == (KEY, VALUE)
    assert only_row(layout, (key, nested)) == (KEY, VALUE)


def test_bytes_are_taken_as_they_are(layout_of):
    """Packed keys and values need no encoding."""
    assert only_row(layout_of("flows"), (KEY, VALUE)) == (KEY, VALUE)


def test_plain_records_take_plain_integers(layout_of):
    """A mapping of integers fills a map of integers."""
    rows = Rows(layout_of("plain"))
    rows.put({1: 2, 3: 4})
    assert dict(rows) == {1: 2, 3: 4}


def test_what_counts_as_an_integer_or_as_bytes(layout_of):
    """Enumerations and booleans are integers; bytearrays and objects with __bytes__ are bytes."""

    class Port(IntEnum):
        HTTP = 8080

    class Address:
        def __bytes__(self):
            return b"abcd"

    layout = layout_of("flows")
    value = {"id": 7, "clock.drift": -5, "total": 9}
    assert only_row(layout, ({"port": Port.HTTP, "addr": bytearray(b"abcd")}, value)) == (
        KEY,
        VALUE,
    )
    assert only_row(layout, ({"port": Port.HTTP, "addr": Address()}, value)) == (KEY, VALUE)
    assert Rows(layout_of("plain")).put([(True, False)]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"port": 70000}, "row 1: port 70000 does not fit in 2 bytes"),
        ({"port": -1}, "row 1: port -1 does not fit in 2 bytes"),
        ({"total": 1 << 64}, f"row 1: total {1 << 64} does not fit in 8 bytes"),
        ({"clock.drift": 1 << 31}, f"row 1: clock.drift {1 << 31} does not fit in 4 bytes"),
        ({"clock.drift": -(1 << 63) - 1}, "row 1: clock.drift .* does not fit in 4 bytes"),
        ({"addr": b"abc"}, "row 1: addr has 3 bytes instead of 4"),
        ({"addr": "abcd"}, "row 1: addr 'abcd' is not bytes"),
        ({"addr": 5}, "row 1: addr 5 is not bytes"),
        ({"port": "80"}, "row 1: port '80' is not an integer"),
        ({"id": 1.0}, "row 1: id 1.0 is not an integer"),
        ({"id": None}, "row 1: id None is not an integer"),
    ],
)
def test_an_error_names_row_field_and_value(layout_of, change, message):
    """Whoever made the row finds it, and nothing of it is kept."""
    good = {"port": 1, "addr": b"abcd", "id": 1, "clock.drift": 0, "total": 0}
    rows = Rows(layout_of("flows"))
    with pytest.raises(MapError, match=f"^map flows: {message}$"):
        rows.put([good, good | change])
    assert len(rows) == 0


def test_a_missing_field_is_named_with_its_cause(layout_of, flow):
    """An attribute that raises is shown, not swallowed."""

    class Broken:
        addr = b"abcd"

        @property
        def port(self):
            raise ZeroDivisionError

    rows = Rows(layout_of("flows"))
    with pytest.raises(MapError, match=r"row 0: .* has no 'port'") as caught:
        rows.put([Broken()])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(MapError, match=r"row 0: .* has no 'clock\.drift'"):
        rows.put([{"port": 1, "addr": b"abcd", "id": 1}])


def test_packed_bytes_of_another_size_are_refused(layout_of):
    """The error says which record has how many bytes."""
    with pytest.raises(MapError, match="row 0: 3 bytes instead of 16 for struct state"):
        Rows(layout_of("flows")).put([(KEY, b"abc")])


def test_half_a_row_of_packed_bytes_is_refused(layout_of):
    """Packed keys and values must be whole and as many."""
    with pytest.raises(MapError, match="9 bytes of keys and 16 of values are no whole rows"):
        Rows(layout_of("flows")).put_packed(KEY + b"x", VALUE)


@given(
    port=st.integers(0, 0xFFFF),
    addr=st.binary(min_size=4, max_size=4),
    number=st.integers(0, 0xFFFFFFFF),
    drift=st.integers(-(1 << 31), (1 << 31) - 1),
    total=st.integers(0, (1 << 64) - 1),
)
def test_what_is_packed_is_what_struct_packs(layout_of, port, addr, number, drift, total):
    """Every value arrives as the datapath's compiler lays it out, and comes back."""
    row = {"port": port, "addr": addr, "id": number, "clock.drift": drift, "total": total}
    rows = Rows(layout_of("flows"))
    rows.put([row])
    wanted = struct.pack(">H2x", port) + addr, struct.pack("=IiQ", number, drift, total)
    assert next(rows.batches()) == wanted
    key, value = next(iter(rows))
    assert key | value == row
