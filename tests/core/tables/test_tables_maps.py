# SPDX-License-Identifier: Apache-2.0
"""Tables on real maps of each kind: written, read and emptied."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axoneme import KeyNotFound, MapError, MapFull
from axoneme._bpf import lib
from axoneme.datapath.tables import Rows, Table

LOOPBACK = 1  # the one device that every network namespace has
MODELS = st.dictionaries(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), max_size=60)


@pytest.mark.parametrize("kind", ["hash", "sparse", "lru"])
@settings(max_examples=30, deadline=None)
@given(first=MODELS, second=MODELS, gone=st.lists(st.integers(0, 0xFFFFFFFF), max_size=10))
def test_a_table_behaves_as_a_dict(new_table, kind, first, second, gone):
    """What was written and not deleted is read, whatever the order."""
    with new_table(kind, "plain", 1024) as table:
        table.write(first)
        table.write(second)
        gone = [*gone, *list(first)[:5]]
        model = first | second
        assert table.delete(gone) == len(model.keys() & set(gone))
        for key in gone:
            model.pop(key, None)
        assert dict(table.read()) == model
        assert table.clear() == len(model)
        assert len(table.read()) == 0


def test_a_row_is_found_by_its_key(flows):
    """Look-ups take keys as writing does; absence is a value, or a KeyError."""
    flows.write([({"port": 80, "addr": b"abcd"}, {"id": 1, "clock.drift": -2, "total": 3})])
    key = {"port": 80, "addr": b"abcd"}
    assert flows.get(key) == flows[key] == {"id": 1, "clock.drift": -2, "total": 3}
    assert flows.get({"port": 81, "addr": b"abcd"}) is None
    with pytest.raises(KeyNotFound, match="map flows: there is no row"):
        flows[{"port": 81, "addr": b"abcd"}]


def test_objects_and_rows_are_written_alike(flows, flow):
    """Packed rows need no encoding, and the map cannot tell."""
    objects = [flow(port, b"abcd", id=port) for port in range(100)]
    assert flows.write(objects) == 100
    first = flows.read()
    flows.clear()
    assert flows.write(flows.rows(objects)) == 100
    assert flows.read() == first


def test_a_bad_row_keeps_all_others_from_being_written(flows, flow):
    """Everything is encoded before anything is written."""
    with pytest.raises(MapError, match="row 1: port 70000"):
        flows.write([flow(1, b"abcd"), flow(70000, b"abcd")])
    assert len(flows.read()) == 0


def test_more_rows_than_one_batch_are_read(make_table):
    """Reading goes on where the last batch ended."""
    table = make_table("hash", "plain", 20_000)
    model = {number: number + 1 for number in range(20_000)}
    assert table.write(model) == 20_000
    assert dict(table.read()) == model


@pytest.mark.parametrize("kind", ["hash", "sparse", "array", "trie"])
def test_a_map_is_scanned_a_batch_at_a_time(make_table, kind):
    """Every row once, and never more than some of them in memory."""
    name = "routes" if kind == "trie" else "plain"
    table = make_table(kind, name, 20_000)
    if kind == "trie":
        table.write((({"length": 32, "bits": n.to_bytes(4, "big")}), n) for n in range(20_000))
    else:
        table.write((n, n + 1) for n in range(20_000))
    batches = [list(rows) for rows in table.scan()]
    assert max(map(len, batches)) <= 8192
    found = [value for rows in batches for _, value in rows]
    assert sorted(found) == sorted(value for _, value in table.read())
    assert table.count() == 20_000


def test_an_empty_map_is_scanned(make_table):
    """There is nothing in it, and nobody waits."""
    table = make_table("hash", "plain", 16)
    assert [row for rows in table.scan() for row in rows] == []
    assert table.count() == 0


def test_buckets_longer_than_the_batch_are_read(make_table):
    """Where the kernel says that the room is too small, there is more."""
    table = make_table("hash", "plain", 4096)
    model = {number: number for number in range(4096)}
    table.write(model)
    table._map.batch = 1
    assert dict(table.read()) == model
    assert not table.reconcile(table.rows(model))


@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 40), model=MODELS)
def test_the_size_of_a_batch_changes_nothing(new_table, batch, model):
    """Writing, reading and deleting are right at every boundary."""
    with new_table("hash", "plain", 256) as table:
        table._map.batch = batch
        assert table.write(model) == len(model)
        assert dict(table.read()) == model
        absent = [key ^ 1 for key in model if key ^ 1 not in model]
        assert table.delete([*absent, *model]) == len(model)
        assert len(table.read()) == 0


def test_a_full_map_says_what_landed_and_what_to_raise(make_table):
    """The error has the map, its entries and the setting; what landed stays."""
    table = make_table("hash", "plain", 64, setting="agent.map-entries.plain")
    with pytest.raises(MapFull) as caught:
        table.write(dict.fromkeys(range(100), 1))
    assert str(caught.value) == (
        "map plain: all of its 64 entries are in use: raise agent.map-entries.plain; "
        "64 of 100 rows were done before it"
    )
    assert len(table.read()) == 64


def test_a_full_map_takes_new_values_of_its_rows(make_table):
    """Overwriting needs no room."""
    table = make_table("hash", "plain", 64)
    table.write(dict.fromkeys(range(64), 1))
    assert table.write(dict.fromkeys(range(64), 2)) == 64


def test_an_array_has_all_its_rows_always(make_table):
    """Deleting a row of an array makes it zero."""
    table = make_table("array", "plain", 8)
    table.write({1: 5, 7: 9})
    assert dict(table.read()) == {0: 0, 1: 5, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 9}
    assert table.delete([1]) == 1
    assert table[1] == 0
    table.clear()
    assert set(dict(table.read()).values()) == {0}


def test_a_key_beyond_an_array_is_no_full_map(make_table):
    """More entries may be what is needed; that the map is full is not the matter."""
    table = make_table("array", "plain", 8)
    with pytest.raises(MapError, match="beyond the array's 8 entries; 1 of 2 rows") as caught:
        table.write([(7, 1), (8, 1)])
    assert not isinstance(caught.value, MapFull)


@pytest.mark.parametrize("kind", ["percpu_hash", "percpu_array"])
def test_a_per_cpu_map_has_a_value_for_each_cpu(make_table, kind):
    """One value goes to the first CPU, so that the sum is what was written."""
    table = make_table(kind, "counts", 4)
    table.write([(1, {"packets": 7, "reason": 300})])
    cpus = lib.libbpf_num_possible_cpus()
    empty = {"packets": 0, "reason": 0}
    assert table[1] == ({"packets": 7, "reason": 300}, *[empty] * (cpus - 1))
    assert dict(table.read())[1] == table[1]
    assert dict(table.read(summed=True))[1] == {"packets": 7, "reason": 300}


def test_per_cpu_values_are_summed(make_table):
    """Integers are added over all CPUs, those in network order too."""
    table, cpus = make_table("percpu_hash", "counts"), lib.libbpf_num_possible_cpus()
    rows, stride = table.rows(), table.layout.stride
    one = (5).to_bytes(8, "little") + (2).to_bytes(2, "big")
    rows.put_packed((9).to_bytes(4, "little"), one.ljust(stride, b"\0") * cpus)
    assert table.write(rows) == 1
    assert dict(table.read(summed=True)) == {9: {"packets": 5 * cpus, "reason": 2 * cpus}}


def test_rows_per_cpu_are_written_back_as_they_were_read(make_table):
    """What a per-CPU map held can be restored."""
    table = make_table("percpu_hash", "counts")
    table.write([(1, {"packets": 7, "reason": 3}), (2, {"packets": 8, "reason": 4})])
    kept = table.read()
    table.clear()
    assert table.write(kept) == 2
    assert table.read() == kept


@settings(max_examples=30, deadline=None)
@given(
    prefixes=st.dictionaries(
        st.tuples(st.integers(0, 32), st.binary(min_size=4, max_size=4)),
        st.integers(0, 0xFFFFFFFF),
        max_size=30,
    )
)
def test_a_trie_is_a_dict_of_prefixes(new_table, prefixes):
    """Bits behind the prefix do not count, neither for rows nor in the map."""
    with new_table("trie", "routes", 256) as table:
        model = {}
        for (length, bits), value in prefixes.items():
            mask = (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
            kept = (int.from_bytes(bits, "big") & mask).to_bytes(4, "big")
            model[(length, kept)] = value
        rows = table.rows([({"length": p[0], "bits": p[1]}, v) for p, v in prefixes.items()])
        assert table.write(rows) == len(model)
        read = {(key["length"], key["bits"]): value for key, value in table.read()}
        assert read == model
        assert not table.reconcile(rows)
        keys = [{"length": length, "bits": bits} for length, bits in prefixes]
        assert table.delete(keys) == len(model)


def test_a_full_trie_says_so(make_table):
    """Its ENOSPC means the same as a hash map's E2BIG."""
    table = make_table("trie", "routes", 2)
    with pytest.raises(MapFull, match="2 of 3 rows"):
        table.write([({"length": 8, "bits": bytes([n, 0, 0, 0])}, n) for n in range(3)])


def test_a_map_without_batches_is_a_table_too(make_table):
    """Where the kernel has no batch calls, one element is taken at a time."""
    table = make_table("devices", "plain", 64)
    model = dict.fromkeys(range(50), LOOPBACK)
    assert table.write(model) == 50
    assert dict(table.read()) == model
    assert table.delete([1, 2, 99]) == 2
    rows = table.rows(dict.fromkeys(range(10), LOOPBACK))
    assert (drift := table.reconcile(rows)).removed == 40
    assert drift.added == 2
    assert dict(table.read()) == dict.fromkeys(range(10), LOOPBACK)


def test_rows_of_another_map_are_refused(make_table, flows, layout_of):
    """Rows know which map they are of."""
    with pytest.raises(MapError, match="map flows: these are rows of plain"):
        flows.write(Rows(layout_of("plain")))


def test_a_refusal_of_the_kernel_has_its_errno(layout_of):
    """A map that may only be read says so."""
    fd = lib.axn_map_create(lib.BPF_MAP_TYPE_HASH, b"axn_test", 4, 4, 8, 0, 0)
    try:
        assert lib.bpf_map_freeze(fd) == 0
        with pytest.raises(MapError, match=r"refused to write rows: .* \(EPERM\); 0 of 1 rows"):
            Table(fd, layout_of("plain")).write({1: 1})
    finally:
        os.close(fd)


def test_a_table_is_read_while_it_changes(new_table):
    """Rows that stay are all there, each once, however many others come and go meanwhile."""
    from threading import Event, Thread

    with new_table("hash", "plain", 8192) as table:
        stay = dict.fromkeys(range(2000), 1)
        table.write(stay)
        done = Event()

        def churn():
            others = dict.fromkeys(range(10_000, 12_000), 2)
            while not done.is_set():
                table.write(others)
                table.delete(others)

        thread = Thread(target=churn)
        thread.start()
        try:
            for _ in range(50):
                read = dict(table.read())
                assert read.items() >= stay.items()
        finally:
            done.set()
            thread.join()
