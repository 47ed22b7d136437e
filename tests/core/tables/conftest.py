# SPDX-License-Identifier: Apache-2.0
"""Real maps of the kernel, nameless and gone with their file descriptor, and a codec for them."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from attrs import frozen

from axoneme._bpf import lib
from axoneme.datapath.tables import Layout, Table

#: struct flow { __be16 port; __u8 pad[2]; __u8 addr[4]; } and what it leads to.
CODEC = SimpleNamespace(
    MAPS={
        "flows": ("struct flow", "struct state", "0123456789abcdef", 3),
        "counts": ("uint32_t", "struct count", "0123456789abcdef", 1),
        "routes": ("struct prefix", "uint32_t", "0123456789abcdef", 1),
        "plain": ("uint32_t", "uint32_t", "0123456789abcdef", 1),
    },
    FIELDS={
        "struct flow": (("port", 0, 2, "be"), ("pad", 2, 2, "bytes"), ("addr", 4, 4, "bytes")),
        "struct state": (
            ("id", 0, 4, "le"),
            ("clock.drift", 4, 4, "signed"),
            ("total", 8, 8, "le"),
        ),
        "struct count": (("packets", 0, 8, "le"), ("reason", 8, 2, "be"), ("_1", 10, 2, "le")),
        "struct prefix": (("length", 0, 4, "le"), ("bits", 4, 4, "bytes")),
        "uint32_t": (("", 0, 4, "le"),),
    },
    SIZES={
        "struct flow": 8,
        "struct state": 16,
        "struct count": 12,
        "struct prefix": 8,
        "uint32_t": 4,
    },
)

_TYPES = {
    "hash": (lib.BPF_MAP_TYPE_HASH, 0),
    "sparse": (lib.BPF_MAP_TYPE_HASH, lib.BPF_F_NO_PREALLOC),
    "lru": (lib.BPF_MAP_TYPE_LRU_HASH, 0),
    "array": (lib.BPF_MAP_TYPE_ARRAY, 0),
    "percpu_hash": (lib.BPF_MAP_TYPE_PERCPU_HASH, 0),
    "percpu_array": (lib.BPF_MAP_TYPE_PERCPU_ARRAY, 0),
    "trie": (lib.BPF_MAP_TYPE_LPM_TRIE, lib.BPF_F_NO_PREALLOC),
    "devices": (lib.BPF_MAP_TYPE_DEVMAP_HASH, 0),
}


@frozen
class Clock:
    drift: int


@frozen
class Flow:
    """A row of the map flows as the control plane would have it."""

    port: int
    addr: bytes
    id: int = 1
    clock: Clock = Clock(0)
    total: int = 0


def _layout(name, **sources):
    return Layout.of(CODEC, name, **sources)


@contextmanager
def _table(kind, name, entries=64, **options):
    layout, (number, flags) = _layout(name), _TYPES[kind]
    sizes = layout.key.size, layout.value.size
    fd = lib.axn_map_create(number, b"axn_test", *sizes, entries, flags, 0)
    assert fd >= 0, os.strerror(-fd)
    try:
        yield Table(fd, layout, **options)
    finally:
        os.close(fd)


@pytest.fixture(scope="session")
def layout_of():
    """The layout of a map: layout_of(name, key=..., value=...)."""
    return _layout


@pytest.fixture(scope="session")
def new_table():
    """A context of one map: new_table(kind, name, entries), for properties that need many."""
    return _table


@pytest.fixture(scope="session")
def flow():
    """The class of rows of the map flows: flow(port, addr, id, clock, total)."""
    return Flow


@pytest.fixture
def make_table():
    """Tables on maps that last for the test: make_table(kind, name, entries)."""
    with ExitStack() as maps:
        yield lambda *args, **options: maps.enter_context(_table(*args, **options))


@pytest.fixture
def flows(make_table):
    """A hash map of 1,000 flows."""
    return make_table("hash", "flows", 1000)
