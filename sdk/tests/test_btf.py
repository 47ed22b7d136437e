# SPDX-License-Identifier: Apache-2.0
"""BTF: maps, tags and layouts of a compiled object."""

from __future__ import annotations

import pytest

from axoneme_sdk.btf import Btf, BtfError

MAP = """
    #include <axoneme/plugin.h>
    struct mine_key {{ {key} }};
    AXN_LAYOUT({number}) struct {{
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, {entries});
        __type(key, struct mine_key);
        __type(value, __u64);
    }} mine_rows SEC(".maps");
"""


def test_a_map_has_its_numbers_types_and_layout(rich):
    """As the loader will make it."""
    maps = {m.name: m for m in rich.maps}
    rows = maps["mine_rows"]
    assert rows.definition.numbers == {"type": 1, "max_entries": 7}
    assert (rows.layout, rows.extern) == (3, False)
    assert rich.btf.sizeof(rows.definition.key) == 32
    assert rich.btf.sizeof(rows.definition.value) == 32


def test_a_shared_map_is_borrowed(rich):
    """It is declared extern by core's header, and has no layout number of its own."""
    maps = {m.name: m for m in rich.maps}
    assert maps["endpoints"].extern
    assert maps["endpoints"].layout == 1


def test_tags_are_of_one_function_alone(rich):
    """The stage has its order, and what it calls has no tags."""
    (stage,) = rich.stages
    assert (stage.after, stage.before) == (("tc",), ("portguard",))
    assert rich.btf.tags("func", "mine_stage_policy") == ()


def test_reasons_and_knobs_have_size_and_sentence(rich):
    """As they were declared."""
    assert [(r.name, r.size, r.text) for r in rich.reasons] == [
        ("mine_closed", 2, "Closed by mine")
    ]
    assert [(k.name, k.size, k.text) for k in rich.knobs] == [("mine_limit", 4, "How many")]


def test_the_layout_hash_is_of_the_bytes_that_a_map_holds(declared):
    """It changes with order, names, byte order and size; not with entries or the number."""

    def layout(key="__u32 a; __u32 b;", number=1, entries=1):
        text = MAP.format(key=key, number=number, entries=entries)
        (found,) = (m for m in declared(text).maps if m.name == "mine_rows")
        return found.hash

    same = layout()
    assert layout(number=2, entries=9) == same
    others = {
        layout("__u32 b; __u32 a;"),
        layout("__u32 a; __u32 c;"),
        layout("__u32 a; __be32 b;"),
        layout("__u32 a; __s32 b;"),
        layout("__u32 a; __u32 b; __u32 c;"),
        layout("__u64 a;"),
    }
    assert len(others) == 6
    assert same not in others


def test_a_renamed_function_keeps_the_rest(rich):
    """Names are appended: every other name, and every type, is as it was."""
    renamed = Btf(rich.btf.rename_function("stage_policy", "stage_policy_7"))
    assert renamed.has("func", "stage_policy_7")
    assert not renamed.has("func", "stage_policy")
    assert [t.name for t in renamed.types if t.name != "stage_policy_7"] == [
        t.name for t in rich.btf.types if t.name != "stage_policy"
    ]


def test_what_is_not_there_is_named(rich):
    """The error says which kind and name."""
    with pytest.raises(BtfError, match="no func nothing in the BTF"):
        rich.btf.find("func", "nothing")


def test_a_function_gets_a_tag_more(rich):
    """Beside those that it has; all else stays as it is."""
    (stage,) = rich.stages
    tagged = Btf(rich.btf.tag_function(stage.symbol, "plugin", "mine"))
    assert tagged.tags("func", stage.symbol) == (
        *rich.btf.tags("func", stage.symbol),
        ("plugin", "mine"),
    )
    assert [t.name for t in tagged.types[:-1]] == [t.name for t in rich.btf.types]
    assert tagged.maps() == rich.btf.maps()
