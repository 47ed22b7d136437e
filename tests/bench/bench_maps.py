# SPDX-License-Identifier: Apache-2.0
"""How fast rows get into the kernel and are compared with it, beside C loops over the same calls.

Each figure is the median of 9 interleaved pairs: ours, and a C loop that makes the same calls of
the kernel on buffers that are ready. 100,000 rows with keys of 20 bytes and values of 8.
"""

from __future__ import annotations

import gc
import os
import random
from array import array
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING

from attrs import frozen
from tests.bench.results import Result

from axoneme._bpf import ffi, lib
from axoneme.datapath.tables import Layout, Rows, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = 100_000
PAIRS = 9
BATCH = 4096

_CODEC = SimpleNamespace(
    MAPS={"prefixes": ("struct key", "struct value", "0" * 16, 1)},
    FIELDS={
        "struct key": (("length", 0, 4, "le"), ("address", 4, 16, "bytes")),
        "struct value": (("identity", 0, 4, "le"), ("tunnel", 4, 4, "be")),
    },
    SIZES={"struct key": 20, "struct value": 8},
)


@frozen
class Prefix:
    """A row as the control plane has it."""

    length: int
    address: bytes
    identity: int
    tunnel: int


def run() -> list[Result]:
    """Measure on a map of this process; needs root, and nothing else."""
    with _quiet(), _map() as table:
        return [*_columns(table), *_objects(table), *_changes(table), *_reconcile(table)]


def _addresses() -> list[bytes]:
    chosen = random.Random(3)  # the same rows each time
    return [bytes(10) + b"\xff\xff" + chosen.randbytes(4) for _ in range(ROWS)]


def _prefixes(addresses: list[bytes], first: int) -> list[Prefix]:
    return [Prefix(128, one, first + row, 0x0A000001) for row, one in enumerate(addresses)]


def _columns(table: Table) -> list[Result]:
    addresses = _addresses()
    columns = {
        "length": 128,
        "address": b"".join(addresses),
        "identity": array("I", range(ROWS)),
        "tunnel": array("I", [0x0A000001]) * ROWS,
    }
    name = "entries from kept columns, of a C loop"
    return _rate(name, 0.9, lambda: table.write_columns(columns), _c_write(table, addresses))


def _objects(table: Table) -> list[Result]:
    addresses = _addresses()
    objects = _prefixes(addresses, 1000)
    name = "entries from attrs objects, of a C loop"
    return _rate(name, 0.6, lambda: table.write(objects), _c_write(table, addresses))


def _changes(table: Table) -> list[Result]:
    """Objects that all differ from the rows kept before: put there, and only then written."""
    addresses, rows = _addresses(), table.rows()
    turns = [_prefixes(addresses, 1000), _prefixes(addresses, 2000)]

    def write() -> None:
        turns.reverse()
        rows.put(turns[0])
        assert table.push(rows) == len(rows)

    name = "entries from changed attrs objects by way of kept rows, of a C loop"
    return _rate(name, 0.6, write, _c_write(table, addresses))


def _reconcile(table: Table) -> list[Result]:
    rows = table.rows(_prefixes(_addresses(), 1000))
    table.reconcile(rows)
    room = Rows(table.layout)  # stays, so that the bare dump allocates nothing
    described = _describe(table)

    def compare() -> None:
        assert not table.reconcile(rows)

    def dump() -> None:
        room.handle.count = room.handle.indexed = 0
        assert lib.axn_map_read(described, room.handle) == 0
        assert room.handle.count == len(rows)

    ours, bare = _pairs(compare, dump)
    ratio = median(one / other for one, other in zip(ours, bare, strict=True))
    return [
        Result("reconcile of 100,000 unchanged entries, of the bare dump", ratio, "x", goal=2.0),
        Result("reconcile of 100,000 unchanged entries", median(ours) * 1e3, "ms"),
    ]


def _rate(
    name: str, goal: float, ours: Callable[[], object], bare: Callable[[], object]
) -> list[Result]:
    times, bare_times = _pairs(ours, bare)
    ratio = median(other / one for one, other in zip(times, bare_times, strict=True))
    speed = ROWS / median(times) / 1e6
    return [
        Result(name, ratio, "x", goal=goal, at_least=True),
        Result(name.removesuffix(", of a C loop"), speed, "M/s"),
    ]


def _pairs(
    ours: Callable[[], object], bare: Callable[[], object]
) -> tuple[list[float], list[float]]:
    ours()
    bare()
    times = [(_time(ours), _time(bare)) for _ in range(PAIRS)]
    return [one for one, _ in times], [other for _, other in times]


def _time(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def _c_write(table: Table, addresses: list[bytes]) -> Callable[[], object]:
    """Return the C loop over batch calls, on keys and values that are packed already."""
    rows = table.rows(_prefixes(addresses, 1000))
    described, done = _describe(table), ffi.new("uint32_t *")

    def write() -> None:
        handle = rows.handle
        code = lib.axn_map_write(described, handle.keys, handle.values, handle.count, done)
        assert code == 0
        assert done[0] == handle.count

    return write


def _describe(table: Table) -> object:
    layout = table.layout
    sizes = layout.key.size, layout.value_size, table.max_entries
    return ffi.new("struct axn_map *", (table.fd, *sizes, 0, BATCH))


@contextmanager
def _map() -> Iterator[Table]:
    fd = lib.axn_map_create(lib.BPF_MAP_TYPE_HASH, b"axn_bench", 20, 8, 2 * ROWS, 0, 0)
    if fd < 0:
        raise OSError(-fd, os.strerror(-fd))
    try:
        yield Table(fd, Layout.of(_CODEC, "prefixes"))
    finally:
        os.close(fd)


@contextmanager
def _quiet() -> Iterator[None]:
    """One CPU for all, and no collection of garbage in the middle of a measurement."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        os.sched_setaffinity(0, cpus)


if __name__ == "__main__":
    for result in run():
        print(result.as_json())
