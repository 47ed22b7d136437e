# SPDX-License-Identifier: Apache-2.0
"""The rules of the C ABI: an object that breaks one is refused, in a sentence that names it."""

from __future__ import annotations

import pytest

from axoneme_sdk import ABI
from axoneme_sdk.checks import STAGE_STACK, check

HEADER = "#include <axoneme/plugin.h>\n"
MAP = """
    struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 1);
        __type(key, %s);
        __type(value, %s);
    } %s SEC(".maps");
"""
STAGE = "AXN_STAGE(policy) { return AXN_NEXT; }\n"

BROKEN = {
    "a stage that AXN_STAGE did not write": (
        HEADER + "int stage_policy(struct __sk_buff *ctx, struct packet *p) { return p != 0; }",
        ["stage_policy was not written with AXN_STAGE(policy)"],
    ),
    "a stage for another ABI": (
        HEADER
        + f"""
        AXN_TAG("abi={ABI + 1}")
        int stage_policy(struct __sk_buff *ctx, struct packet *p) {{ return p != 0; }}
        """,
        [f"stage policy is built for datapath ABI {ABI + 1}, and this is ABI {ABI}: "],
    ),
    "a stage with too big a frame": (
        HEADER
        + """
        AXN_STAGE(policy)
        {
            volatile __u64 big[28] = {};
            return big[packet->trunk & 15] != 0;
        }
        """,
        ["stage policy needs 224 bytes of stack with all it calls, and may use 192: move what is"],
    ),
    "a stage with too much stack in what it calls": (
        HEADER
        + """
        static __noinline int inner(__u32 at)
        {
            volatile __u64 some[12] = {};
            return some[at & 7] != 0;
        }
        static __noinline int outer(__u32 at)
        {
            volatile __u64 some[12] = {};
            return inner(at + 1) + (some[at & 7] != 0);
        }
        AXN_STAGE(policy) { return outer(packet->trunk); }
        """,
        ["stage policy needs 224 bytes of stack with all it calls, and may use 192"],
    ),
    "a key that lies in struct packet": (
        HEADER
        + MAP % ("union address", "__u64", "mine_map")
        + """
        AXN_STAGE(policy)
        {
            return bpf_map_lookup_elem(&mine_map, &packet->tuple.daddr) ? AXN_PASS : AXN_NEXT;
        }
        """,
        [
            "stage_policy gives a pointer into struct packet to a map as its key or value, which ",
        ],
    ),
    "a value that lies in struct packet": (
        HEADER
        + MAP % ("__u32", "struct tuple", "mine_map")
        + """
        AXN_STAGE(policy)
        {
            __u32 key = 0;
            bpf_map_update_elem(&mine_map, &key, &packet->tuple, BPF_ANY);
            return AXN_NEXT;
        }
        """,
        ["stage_policy gives a pointer into struct packet to a map as its key or value"],
    ),
    "global symbols of another's name": (
        HEADER
        + MAP % ("__u32", "__u64", "other_map")
        + STAGE
        + "__noinline int helper(int a) { return a + 1; }\n"
        + 'AXN_KNOB(__u32, limit, 5, "How many");\n',
        [
            "global helper must begin with mine_ (or be static): equal names do not link",
            "global limit must begin with mine_",
            "global other_map must begin with mine_",
        ],
    ),
    "writable globals": (
        HEADER
        + """
        int mine_zero;
        int mine_one = 1;
        AXN_STAGE(policy) { return mine_zero++ + mine_one++; }
        """,
        [
            "writable globals in .bss would be lost by a hot swap: use a map, or make them const",
            "writable globals in .data would be lost by a hot swap",
        ],
    ),
    "no licence": (
        "int mine_function(void *ctx) { return 0; }",
        ["no license section of ours: include <axoneme/plugin.h>, and write none"],
    ),
    "another licence": (
        """
        #include <linux/bpf.h>
        #include <bpf/bpf_helpers.h>
        char LICENSE[] SEC("license") = "GPL";
        """,
        ["no license section of ours: include <axoneme/plugin.h>, and write none"],
    ),
    "padding at the end of a key": (
        HEADER
        + "struct mine_key { __u32 a; __u8 b; };"
        + MAP % ("struct mine_key", "__u64", "mine_map")
        + STAGE,
        [
            "the key of map mine_map, struct mine_key, has padding at byte 5: name it (__u8 pad",
        ],
    ),
    "padding inside a key": (
        HEADER
        + "struct mine_key { __u8 a; __u32 b; };"
        + MAP % ("struct mine_key", "__u64", "mine_map")
        + STAGE,
        ["the key of map mine_map, struct mine_key, has padding at byte 1"],
    ),
    "padding inside a struct in a key": (
        HEADER
        + """
        struct mine_inner { __u16 c; __u8 d; };
        struct mine_key { __u32 a; struct mine_inner b[2]; };
        """
        + MAP % ("struct mine_key", "__u64", "mine_map")
        + STAGE,
        ["the key of map mine_map, struct mine_inner, has padding at byte 3"],
    ),
}


def test_an_object_that_keeps_the_rules_has_no_problem(rich):
    """Stages, maps, reasons, knobs and calls of its own are all right."""
    assert check(rich, "mine") == []
    assert max(stage.stack for stage in rich.stages) <= STAGE_STACK


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_rule_is_named(declared, what):
    """With the symbol, the numbers, and what to do."""
    text, sentences = BROKEN[what]
    problems = sorted(check(declared(text), "mine"))
    assert len(problems) == len(sentences), problems
    for problem, sentence in zip(problems, sentences, strict=True):
        assert problem.startswith(sentence)


def test_a_dash_in_a_plugins_name_is_an_underscore_in_its_symbols(rich):
    """`mine-own` owns mine_own_..., and not mine_..."""
    assert "global mine_limit must begin with mine_own_" in "\n".join(check(rich, "mine-own"))
