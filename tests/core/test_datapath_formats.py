# SPDX-License-Identifier: Apache-2.0
"""Layouts from the letters of struct, for maps that have no codec."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axoneme import MapError
from axoneme.datapath._formats import layout_of

LETTERS = st.lists(st.sampled_from("bhiqBHIQ") | st.integers(1, 9).map("{}s".format), min_size=1)


@given(LETTERS)
def test_fields_lie_where_c_puts_them(letters):
    """Each at a multiple of its own size, and the whole at one of the widest."""
    record = layout_of("m", "I", {f"f{i}": letter for i, letter in enumerate(letters)}).value
    for count, field in enumerate(record.fields):
        before = struct.calcsize("@" + "".join(letters[:count]) + "0" + letters[count][-1])
        assert field.offset == before
    widest = max((one for one in letters if "s" not in one), key=struct.calcsize, default="B")
    assert record.size == struct.calcsize("@" + "".join(letters) + "0" + widest)


def test_a_letter_alone_is_a_plain_record():
    """Its rows are integers, or bytes."""
    layout = layout_of("m", "I", "6s")
    assert layout.key.decode(b"\7\0\0\0") == 7
    assert layout.value.decode(b"abcdef") == b"abcdef"


def test_fields_are_decoded_by_name_sign_and_byte_order():
    """As a codec's are."""
    value = layout_of("m", "I", {"port": ">H", "delta": "h", "count": "Q"}).value
    data = struct.pack(">H", 80) + struct.pack("<h4xQ", -2, 9)
    assert value.decode(data) == {"port": 80, "delta": -2, "count": 9}


@pytest.mark.parametrize("letter", ["", "x", "II", "0s", "s", "<H", "f", ">6s"])
def test_a_letter_that_is_none_is_refused(letter):
    """The sentence has the map, the field, and what would do."""
    with pytest.raises(MapError) as caught:
        layout_of("switches", "I", {"count": letter})
    assert str(caught.value).startswith(f"map switches: count: {letter!r} is no format: write one")
