# SPDX-License-Identifier: Apache-2.0
"""Objects that cannot be used: each is refused with what is wrong, and the others go on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.system.objects import gate, idle

from axoneme import PluginObject
from axoneme.datapath import Refused
from axoneme.datapath.parts import read_parts
from axoneme.testing import plugin_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.rig import Rig

HEADER = "#include <axoneme/plugin.h>\n"
MAP = """
    struct {{ __uint(type, {type}); __uint(max_entries, {entries}); __type(key, {key});
              __type(value, {value}); }} {name} SEC(".maps");
"""
LOOKUP = """
    AXN_STAGE(policy)
    {{
        {key} key = 0;

        return bpf_map_lookup_elem(&{name}, &key) ? AXN_PASS : AXN_NEXT;
    }}
"""


def map_text(name: str, *, header: str = HEADER, storage: str = "", **definition: str) -> str:
    """A plugin that has a map, or borrows one, and looks something up in it."""
    numbers = {"type": "BPF_MAP_TYPE_HASH", "entries": "1", "key": "__u64", "value": "__u32"}
    numbers |= definition
    text = MAP.format(name=name, **numbers).replace("struct {", f"{storage} struct {{", 1)
    return header + text + LOOKUP.format(name=name, key=numbers["key"])


#: What the object says for itself: the C of a plugin named bad, and words of the refusal.
SOURCES = {
    "another ABI": (
        "#undef AXN_ABI\n#define AXN_ABI 2\nAXN_STAGE(policy) { return AXN_NEXT; }",
        r"stage policy is built for datapath ABI 2, and this is ABI 1: build the plugin with",
    ),
    "a stage without AXN_STAGE": (
        "int stage_policy(struct __sk_buff *ctx, struct packet *packet) { return AXN_NEXT; }",
        r"stage_policy was not written with AXN_STAGE\(policy\)",
    ),
    "a stage that core does not have": (
        "#define AXN_STAGE_polisy 0\nAXN_STAGE(polisy) { return AXN_NEXT; }",
        r"there is no stage polisy; did you mean 'policy'\?",
    ),
    "a stage with too much stack": (
        """
        AXN_STAGE(policy)
        {
            volatile __u8 buffer[300];

            buffer[packet->len % 300] = packet->family;
            return buffer[packet->tuple.proto] ? AXN_NEXT : AXN_PASS;
        }
        """,
        r"stage policy needs 320 bytes of stack with all it calls, and may use 192: move",
    ),
    "a key in struct packet": (
        """
        AXN_STAGE(policy)
        {
            return bpf_map_lookup_elem(&endpoints, &packet->tuple.saddr) ? AXN_NEXT : AXN_PASS;
        }
        """,
        r"stage_policy gives a pointer into struct packet to a map .* copy it to the stack",
    ),
    "a symbol of no plugin's": (
        "const volatile int limit = 3;\nAXN_STAGE(policy) { return limit; }",
        r"global limit must begin with bad_",
    ),
    "a writable global": (
        "int bad_calls = 1;\nAXN_STAGE(policy) { bad_calls++; return AXN_NEXT; }",
        r"writable globals in \.data would be lost by a hot swap",
    ),
    "a key with padding": (
        """
        struct bad_key { __u8 a; __u32 b; };
        struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1);
                 __type(key, struct bad_key); __type(value, __u32); } bad_map SEC(".maps");
        AXN_STAGE(policy)
        {
            struct bad_key key = {};

            return bpf_map_lookup_elem(&bad_map, &key) ? AXN_PASS : AXN_NEXT;
        }
        """,
        r"the key of map bad_map, struct bad_key, has padding at byte 1",
    ),
    "a stage of XDP where tc's is meant": (
        "AXN_XDP_STAGE(policy) { return ctx->data ? AXN_NEXT : AXN_PASS; }",
        r"bad.bpf.o does not link: .*stage_policy_0.* '__sk_buff' and 'xdp_md': build",
    ),
    "a stage of the socket where tc's is meant": (
        "AXN_SOCKET_STAGE(policy) { return AXN_NEXT; }",
        r"bad.bpf.o does not link: .*stage_policy_0.*params 2 and 1",
    ),
    "a function that nobody has": (
        "extern int bad_missing(int x);\nAXN_STAGE(policy) { return bad_missing(1); }",
        r"extern 'bad_missing'",
    ),
    "a reason with too long a name": (
        'AXN_REASON(bad_LONG, "Long"); AXN_STAGE(policy) { return bad_LONG; }'.replace(
            "LONG", "x" * 64
        ),
        r"the name of reason bad_x+ has more than 63 bytes",
    ),
    "a program that nobody attaches": (
        'SEC("tracepoint/syscalls/sys_enter_read") int bad_read(void *ctx) { return 0; }',
        r"bad.bpf.o: .*(bad_read|sys_enter_read)",
    ),
}
MAPS = {
    "a map that core does not share": (
        map_text("affinity", storage="extern"),
        r"core has no map affinity to share",
    ),
    "a map of core's, misspelt": (
        map_text("endpoint", storage="extern"),
        r"core has no map endpoint to share; did you mean 'endpoints'\?",
    ),
    "a shared map with another size": (
        map_text(
            "counters",
            header="#include <axoneme/abi.h>\nstruct counter { __u64 packets, bytes; };\n",
            storage="extern",
            type="BPF_MAP_TYPE_PERCPU_ARRAY",
            entries="100",
            key="__u32",
            value="struct counter",
        ),
        r"global 'counters': map max_entries mismatch: build the plugin again",
    ),
    "a map that the kernel does not make": (
        map_text("bad_map", type="BPF_MAP_TYPE_ARRAY"),
        r"map 'bad_map': failed to create: Invalid argument",
    ),
}


def bad(text: str, **options: object) -> PluginObject:
    """The object of a plugin named bad."""
    return plugin_object(text if text.startswith("#") else HEADER + text, "bad", **options)


def refused_alone(rig: Rig, item: PluginObject) -> str:
    """Put it in effect beside another plugin; why it is refused, and the other is not."""
    assembly = rig.prepare(good=idle(), bad=item)
    rig.call(rig.datapath.commit, assembly)
    assert rig.datapath.assembly.lanes == {"policy": ("good",)}
    (refused,) = assembly.refused
    assert refused.plugin == "bad"
    return refused.reason


@pytest.mark.parametrize(("text", "words"), SOURCES.values(), ids=SOURCES.keys())
def test_an_object_that_breaks_a_rule_is_refused(
    rig: Rig, matching: Callable[[str, str], None], text: str, words: str
) -> None:
    """The reason names the file, the thing, and what to do about it."""
    source = HEADER + text
    matching(words, refused_alone(rig, bad(source)))


@pytest.mark.parametrize(("text", "words"), MAPS.values(), ids=MAPS.keys())
def test_an_object_with_a_map_that_cannot_be_is_refused(
    rig: Rig, matching: Callable[[str, str], None], text: str, words: str
) -> None:
    """Its own, or one that it takes for core's."""
    matching(words, refused_alone(rig, bad(text)))


def _elf(change: Callable[[bytes], bytes], path: Path) -> PluginObject:
    target = path / "bad.bpf.o"
    target.write_bytes(change(gate().source.read_bytes()))
    return PluginObject(target)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: b"", "not a little-endian ELF64 file"),
        (lambda data: data[:100], "truncated or corrupt"),
        (lambda data: data[: len(data) // 2], "truncated or corrupt"),
        (lambda data: data[:-1], "truncated or corrupt"),
        (lambda data: b"#!/bin/sh\n" * 100, "not a little-endian ELF64 file"),
        (lambda data: b"\x7fELF\x02\x01" + bytes(range(256)) * 40, "truncated or corrupt"),
        (lambda data: Path("/proc/self/exe").read_bytes(), "built for machine"),
        (lambda data: data.replace(b".BTF", b".XTF"), "no section .BTF"),
        (lambda data: data.replace(b"\x9f\xeb\x01\0", b"\x9f\xec\x01\0", 1), "not BTF"),
        (lambda data: data.replace(b"Dual BSD/GPL", b"Proprietary\0"), "no license section"),
    ],
    ids=[
        "empty",
        "its first bytes",
        "half",
        "all but a byte",
        "a script",
        "garbage",
        "a program of the host",
        "no BTF",
        "broken BTF",
        "another licence",
    ],
)
def test_a_corrupt_object_is_refused(
    rig: Rig,
    tmp_path: Path,
    matching: Callable[[str, str], None],
    change: Callable[[bytes], bytes],
    words: str,
) -> None:
    """The reason names the file and says what is wrong with it."""
    reason = refused_alone(rig, _elf(change, tmp_path))
    matching(rf"bad\.bpf\.o: .*{words}", reason)


def test_an_object_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    """Whichever table ends too early, it is a reason and no crash."""
    for n in range(128):
        item = _elf(lambda data, n=n: data[: len(data) * n // 128], tmp_path)
        result = read_parts("gate", [item])
        assert isinstance(result, Refused)
        assert result.reason.startswith("bad.bpf.o: ")


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_object_is_read_or_refused(changes: list[tuple[float, int]]) -> None:
    """Whichever bytes are others, reading raises nothing."""
    data = bytearray(gate().source.read_bytes())
    for place, value in changes:
        data[int(len(data) * place)] = value
    with tempfile.TemporaryDirectory() as folder:
        result = read_parts("gate", [_elf(lambda _: bytes(data), Path(folder))])
    assert isinstance(result, Refused | tuple)


def test_an_object_that_is_not_there_is_refused(rig: Rig, tmp_path: Path) -> None:
    """The reason says to build or install again."""
    reason = refused_alone(rig, PluginObject(tmp_path / "gone.bpf.o"))
    assert reason.startswith("gone.bpf.o: cannot be read (No such file or directory): build or")


def test_everything_that_is_wrong_is_said_at_once(rig: Rig) -> None:
    """Two rules broken and an unknown knob: three sentences."""
    text = "int limit = 1;\nAXN_STAGE(policy) { return limit++; }"
    reason = refused_alone(rig, bad(text, knobs={"bad_knob": 1}))
    assert reason.count("; ") == 2
    assert "global limit" in reason
    assert "writable globals" in reason
    assert "no knob bad_knob" in reason
