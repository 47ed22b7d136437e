# SPDX-License-Identifier: Apache-2.0
"""What a layout knows of a map's keys and values."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest

from axoneme import LayoutMismatch, MapError
from axoneme.datapath.tables import Layout, Table


def test_a_layout_carries_the_hash_and_number_of_its_codec(layout_of):
    """What is compared with a pinned map comes from the plugin's build."""
    layout = layout_of("flows")
    assert (layout.hash, layout.number) == ("0123456789abcdef", 3)


def test_filling_is_no_field(layout_of):
    """Nobody has to give a value for pad, and nobody reads it."""
    assert [one.name for one in layout_of("flows").key.fields] == ["port", "addr"]
    assert [one.name for one in layout_of("counts").value.fields] == ["packets", "reason"]


def test_a_record_is_decoded_by_field(layout_of):
    """Network order and signs are respected."""
    data = struct.pack("=IiQ", 7, -5, 1 << 40)
    assert layout_of("flows").value.decode(data) == {"id": 7, "clock.drift": -5, "total": 1 << 40}
    assert layout_of("flows").key.decode(b"\x1f\x90\0\0abcd") == {"port": 8080, "addr": b"abcd"}


def test_a_plain_record_is_decoded_to_what_it_is(layout_of):
    """An integer key is an int, not a dict."""
    assert layout_of("plain").key.decode(b"\1\2\0\0") == 0x201


def test_an_unknown_map_is_named_with_those_there_are():
    """A misspelt map says what the codec has."""
    codec = SimpleNamespace(MAPS={"flows": ()}, FIELDS={}, SIZES={})
    with pytest.raises(MapError, match="map flow: the codec does not know it; it has flows"):
        Layout.of(codec, "flow")


def test_a_mapping_of_an_unknown_field_names_the_nearest(layout_of):
    """A misspelt field in a mapping is found when the layout is made."""
    with pytest.raises(MapError, match=r"no field 'adr'; did you mean 'addr'\?"):
        layout_of("flows", key={"adr": "address"})


def test_an_integer_of_odd_size_is_refused():
    """A codec that this core cannot follow is found when the layout is made."""
    codec = SimpleNamespace(
        MAPS={"wide": ("u128", "u128", "0" * 16, 1)},
        FIELDS={"u128": (("", 0, 16, "le"),)},
        SIZES={"u128": 16},
    )
    with pytest.raises(MapError, match="u128: key is an integer of 16 bytes"):
        Layout.of(codec, "wide")


def test_a_map_of_other_sizes_is_no_table_of_this_layout(flows, layout_of):
    """The error names what was expected and what was found."""
    with pytest.raises(LayoutMismatch, match="4 \\+ 4 bytes") as caught:
        Table(flows.fd, layout_of("plain"))
    assert caught.value.found == "8 + 16 bytes"
