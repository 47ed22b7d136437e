# SPDX-License-Identifier: Apache-2.0
"""Who has which address, in the maps: written, replaced, repaired and found again."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from axoneme.datapath import Datapath, IpcacheMaps, Remote
from axoneme.model import pack_address

FOUR, SIX = ip_address("10.2.0.9"), ip_address("fd00:10:2::9")
NODE = ip_address("172.31.0.2")
NET4, NET6 = ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")


@pytest.fixture
def datapath(link) -> Datapath:
    """A datapath without plugins: the maps are core's."""
    return link()


@pytest.fixture
def maps(datapath, node) -> IpcacheMaps:
    """Nothing known yet."""
    return node.call(IpcacheMaps.open, datapath)


@pytest.fixture
def read(datapath, node):
    """What a map holds."""

    def rows(name: str) -> dict:
        found = node.call(lambda: list(datapath.table(name).read()))
        return {str(k) if isinstance(k, dict) else k: value for k, value in found}

    return rows


def test_addresses_have_an_identity_and_a_tunnel(maps, node, read):
    """Of either family; without a tunnel packets are routed natively."""
    assert node.call(maps.put, {FOUR: Remote(300, NODE), SIX: Remote(301)}) == 2
    assert read("ipcache") == {
        pack_address(FOUR): {"identity": 300, "flags": 0, "tunnel": pack_address(NODE)},
        pack_address(SIX): {"identity": 301, "flags": 0, "tunnel": bytes(16)},
    }
    assert node.call(maps.remove, [FOUR, NODE]) == 1
    assert set(read("ipcache")) == {pack_address(SIX)}


def test_every_change_begins_a_generation_and_no_other(maps, node):
    """Verdicts follow from identities; the same again disturbs nobody."""
    generation = maps.runtime.generation
    node.call(maps.put, {FOUR: Remote(300)})
    node.call(maps.put, {FOUR: Remote(300)})
    node.call(maps.replace, {FOUR: Remote(300)})
    node.call(maps.remove, [SIX])
    assert maps.runtime.generation == generation + 1
    node.call(maps.put_cidrs, {NET4: 1 << 24})
    node.call(maps.replace, {FOUR: Remote(301)})
    node.call(maps.remove_cidrs, [NET4])
    assert maps.runtime.generation == generation + 4


def test_replacing_writes_the_difference(maps, node, read):
    """What is not in it goes, what is new comes, the rest stays."""
    node.call(maps.put, {FOUR: Remote(300), NODE: Remote(6)})
    assert node.call(maps.replace, {FOUR: Remote(300), SIX: Remote(301)}) == 2
    assert set(read("ipcache")) == {pack_address(FOUR), pack_address(SIX)}
    assert node.call(maps.replace, {}) == 2
    assert read("ipcache") == {}


def test_networks_are_prefixes_of_sixteen_bytes(maps, node, datapath, read):
    """Those of IPv4 are 96 bits longer; an address is of the longest that it is in."""
    wide = {ip_network("10.1.0.0/16"): 3, NET4: 1, NET6: 2, ip_network("0.0.0.0/0"): 4}
    assert node.call(maps.replace_cidrs, wide) == 4

    def identity(address: str) -> int | None:
        key = {"length": 128, "address": pack_address(address)}
        return node.call(datapath.table("cidrs").get, key)

    found = [identity(a) for a in ("10.1.2.3", "10.2.0.1", "192.0.2.1", "2001:db8::1", "::1:1")]
    assert found == [3, 1, 4, 2, None]
    assert node.call(maps.remove_cidrs, [ip_network("10.1.0.0/16")]) == 1
    assert identity("10.1.2.3") == 1


def test_nodes_are_numbers_by_address(maps, node, read):
    """Who may send encapsulated packets; no verdict follows from it."""
    generation = maps.runtime.generation
    assert node.call(maps.replace_nodes, {NODE: 2}) == 1
    assert read("nodes") == {pack_address(NODE): 2}
    assert node.call(maps.replace_nodes, {}) == 1
    assert read("nodes") == {}
    assert maps.runtime.generation == generation


def test_a_restart_makes_nobody_a_stranger(maps, node, datapath, read):
    """What is there stays until it is replaced, and is no drift."""
    node.call(maps.put, {FOUR: Remote(300), SIX: Remote(301)})
    node.call(maps.put_cidrs, {NET4: 1 << 24})
    again = node.call(IpcacheMaps.open, datapath)
    assert node.call(again.reconcile) == ()
    assert len(read("ipcache")) == 2
    assert node.call(again.replace, {FOUR: Remote(300)}) == 1
    assert set(read("ipcache")) == {pack_address(FOUR)}
    assert node.call(again.replace_cidrs, {NET4: 1 << 24}) == 0


def test_drift_is_repaired_and_named(maps, node, datapath, read):
    """In each of the maps, with a new generation."""
    node.call(maps.put, {FOUR: Remote(300)})
    node.call(maps.put_cidrs, {NET4: 1 << 24})
    node.call(maps.replace_nodes, {NODE: 2})
    before = [read(name) for name in ("ipcache", "cidrs", "nodes")]
    generation = maps.runtime.generation
    assert node.call(maps.reconcile) == ()
    for name in ("ipcache", "cidrs", "nodes"):
        node.call(datapath.table(name).clear)
    found = node.call(maps.reconcile)
    assert [d.attach_point for d in found] == ["map ipcache", "map cidrs", "map nodes"]
    assert all("1 added" in d.problem for d in found)
    assert f"(added {FOUR})" in found[0].problem
    assert [read(name) for name in ("ipcache", "cidrs", "nodes")] == before
    assert maps.runtime.generation == generation + 1
