# SPDX-License-Identifier: Apache-2.0
"""The generated codec: what it says of a layout, and what it cannot follow."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from axoneme_sdk.btf import BtfError
from axoneme_sdk.codec import generate
from axoneme_sdk.compile import BuildError

MAP = """
    #include <axoneme/plugin.h>
    %s
    struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 1);
        __type(key, %s);
        __type(value, %s);
    } mine_rows SEC(".maps");
"""


@pytest.fixture
def codec(rich, tmp_path):
    """The codec of RICH, imported."""
    target = tmp_path / "rich_codec.py"
    generate([rich], "rich_codec", target)
    loader = SourceFileLoader("rich_codec", str(target))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def test_fields_are_flat_and_know_their_byte_order(codec):
    """Nested structs have dotted names, a union is its first member, bytes stay together."""
    assert codec.FIELDS["struct mine_key"] == (
        ("address", 0, 16, "bytes"),
        ("inner.port", 16, 2, "be"),
        ("inner.proto", 18, 1, "le"),
        ("inner.pad", 19, 1, "le"),
        ("numbers[0]", 20, 4, "le"),
        ("numbers[1]", 24, 4, "le"),
        ("signed_one", 28, 4, "signed"),
    )
    assert codec.FIELDS["struct mine_value"] == (
        ("packets", 0, 8, "le"),
        ("seen", 8, 1, "le"),
        ("mac", 9, 6, "bytes"),
        ("pad", 15, 1, "le"),
        ("colour", 16, 4, "le"),
        ("others", 20, 8, "bytes"),
    )


def test_a_map_has_its_types_hash_and_number(codec, rich):
    """And those that are borrowed are left to their owner."""
    (rows,) = (m for m in rich.maps if m.name == "mine_rows")
    row = ("struct mine_key", "struct mine_value", rows.hash, 3)
    assert codec.MAPS["mine_rows"] == row
    assert list(codec.MAPS) == ["mine_rows"]
    assert codec.SIZES == {"struct mine_key": 32, "struct mine_value": 32}


def test_ffi_lays_the_structs_out_as_the_compiler_did(codec):
    """A value written through the codec's ffi lies where the program reads it."""
    value = codec.ffi.new("struct mine_value *", {"packets": 7, "seen": True, "colour": 1})
    assert bytes(codec.ffi.buffer(value))[:20] == bytes(
        [7] + [0] * 7 + [1] + [0] * 7 + [1, 0, 0, 0]
    )


def test_the_codec_needs_no_compiler(codec):
    """It is Python text, for every machine."""
    assert codec.__file__.endswith(".py")


def test_generating_prints_nothing(rich, tmp_path, capfd):
    """What it writes is a file: a command's output stays its own."""
    generate([rich], "rich_codec", tmp_path / "rich_codec.py")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        (
            MAP % ("struct mine_value { __u32 a : 3, b : 29; };", "__u32", "struct mine_value"),
            BuildError,
            "map mine_rows: a: bit fields cannot stand in a map; use flags",
        ),
        (
            MAP
            % (
                "struct mine_key { __u8 a; __u32 b; } __attribute__((packed));",
                "struct mine_key",
                "__u64",
            ),
            BuildError,
            "struct mine_key is packed or aligned by attribute: a codec cannot follow that",
        ),
        (
            MAP % ("struct mine_value { void *where; };", "__u32", "struct mine_value"),
            BtfError,
            "map mine_rows: a pointer cannot stand in a map: what it points to is not kept",
        ),
    ],
    ids=["bit fields", "packed", "a pointer"],
)
def test_a_layout_that_a_codec_cannot_follow_is_refused(declared, tmp_path, text, error, sentence):
    """The sentence names the field or the struct."""
    with pytest.raises(error) as caught:
        generate([declared(text)], "mine_codec", tmp_path / "mine_codec.py")
    assert str(caught.value) == sentence


def test_one_map_in_two_ways_is_refused(declared, tmp_path):
    """Two objects of a plugin share a map only if they define it alike."""
    objects = [declared(MAP % ("", "__u32", value), value) for value in ("__u32", "__u64")]
    with pytest.raises(BuildError, match="map mine_rows is defined in two ways"):
        generate(objects, "mine_codec", tmp_path / "mine_codec.py")


def test_one_struct_in_two_ways_is_refused(declared, tmp_path):
    """A codec has one layout for each name of C."""
    texts = [
        MAP % (f"struct mine_value {{ {kind} a; }};", "__u32", "struct mine_value")
        for kind in ("__u32", "__u64")
    ]
    texts[1] = texts[1].replace("mine_rows", "mine_others")
    objects = [declared(text, f"mine{i}") for i, text in enumerate(texts)]
    with pytest.raises(BuildError, match="struct mine_value is defined in two ways"):
        generate(objects, "mine_codec", tmp_path / "mine_codec.py")
