# SPDX-License-Identifier: Apache-2.0
"""Objects of a test's own, from C text."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from axoneme_sdk.compile import compile_object
from axoneme_sdk.declarations import Declarations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: One object with something of everything, for the tests that read.
RICH = """
    #include <axoneme/plugin.h>

    enum mine_colour { MINE_RED, MINE_BLUE };

    struct mine_inner {
        __be16 port;
        __u8 proto;
        __u8 pad;
    };

    struct mine_key {
        union address address;
        struct mine_inner inner;
        __u32 numbers[2];
        __s32 signed_one;
    };

    struct mine_value {
        __u64 packets;
        _Bool seen;
        __u8 mac[6];
        __u8 pad;
        enum mine_colour colour;
        struct mine_inner others[2];
    };

    AXN_LAYOUT(3) struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, 7);
        __type(key, struct mine_key);
        __type(value, struct mine_value);
    } mine_rows SEC(".maps");

    AXN_REASON(mine_closed, "Closed by mine");
    AXN_KNOB(__u32, mine_limit, 5, "How many");

    /* The names of these two end alike, so that clang keeps one as the tail of the other. */
    __noinline int mine_stage_policy(struct packet *packet)
    {
        volatile __u64 scratch[8] = {};

        return packet ? (int)scratch[packet->trunk & 7] + (bpf_get_smp_processor_id() & 0) : 0;
    }

    AXN_STAGE(policy, AXN_AFTER(tc) AXN_BEFORE(portguard))
    {
        struct mine_key key = { .address = packet->tuple.daddr };
        struct mine_value *value = bpf_map_lookup_elem(&mine_rows, &key);
        struct endpoint *to = endpoint_lookup(&packet->tuple.daddr);

        if (value && to && value->packets > mine_limit)
            return axn_drop(packet, mine_closed);
        return mine_stage_policy(packet);
    }
"""


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., bytes]:
    """A function that compiles C text."""

    def compile_text(text: str, name: str = "mine") -> bytes:
        source = tmp_path / f"{name}.bpf.c"
        source.write_text(dedent(text))
        return compile_object(source).read_bytes()

    return compile_text


@pytest.fixture
def declared(compiled: Callable[..., bytes]) -> Callable[..., Declarations]:
    """A function that compiles C text and reads what the object declares."""
    return lambda text, name="mine": Declarations.read(compiled(text, name))


@pytest.fixture(scope="session")
def rich_object(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of RICH, compiled once."""
    source = tmp_path_factory.mktemp("rich") / "rich.bpf.c"
    source.write_text(dedent(RICH))
    return compile_object(source).read_bytes()


@pytest.fixture
def rich(rich_object: bytes) -> Declarations:
    """What RICH declares."""
    return Declarations.read(rich_object)


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a package `axoneme_mine` with these eBPF sources by name."""

    def write(*, at: str = "", **sources: str) -> Path:
        directory = tmp_path / at / "axoneme_mine"
        (directory / "bpf").mkdir(parents=True)
        for name, text in sources.items():
            (directory / "bpf" / f"{name}.bpf.c").write_text(dedent(text))
        return directory

    return write
