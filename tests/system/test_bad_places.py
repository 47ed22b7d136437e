# SPDX-License-Identifier: Apache-2.0
"""Places where the datapath cannot run, and pins that are not what they should be."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from tests.system.objects import gate, idle
from tests.system.privileges import keep_only
from tests.system.rig import Rig

from axoneme.datapath import Datapath, kernel_version
from axoneme.datapath.preflight import check_kernel
from axoneme.errors import DatapathError, LayoutMismatch, NotSupported
from axoneme.net.namespaces import MNT_DETACH, umount
from axoneme.testing import plugin_codec, plugin_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from axoneme import PluginObject
    from axoneme.testing import Node

_MAP = """
    #include <axoneme/plugin.h>

    struct row {{ {fields} }};

    struct {{
        __uint(type, {type});
        __uint(max_entries, 16);
        {flags}
        __type(key, __u32);
        __type(value, struct row);
    }} box_rows SEC(".maps") {tag};

    AXN_STAGE(shape)
    {{
        __u32 key = 0;

        return bpf_map_lookup_elem(&box_rows, &key) ? AXN_PASS : AXN_NEXT;
    }}
"""


def box(
    fields: str = "__u32 a; __u32 b;",
    *,
    type: str = "BPF_MAP_TYPE_HASH",  # noqa: A002 - the field of a map's definition
    flags: str = "",
    tag: str = "",
) -> PluginObject:
    """A plugin with one map."""
    return plugin_object(_MAP.format(fields=fields, type=type, flags=flags, tag=tag), "box")


OTHERS = {
    "another field": {"fields": "__u32 a; __u32 c;"},
    "another order": {"fields": "__u32 b; __u32 a;"},
    "network order": {"fields": "__be32 a; __u32 b;"},
    "another size": {"fields": "__u32 a; __u32 b; __u32 c;"},
    "another type": {"type": "BPF_MAP_TYPE_LRU_HASH"},
    "other flags": {"flags": "__uint(map_flags, BPF_F_NO_PREALLOC);"},
}


@pytest.mark.parametrize("release", ["5.15.0", "6.0.19-generic", "4.19.0-27-amd64", "5.4"])
def test_a_kernel_below_the_floor_is_named(release: str) -> None:
    """The error says which it is and which is needed."""
    with pytest.raises(NotSupported) as caught:
        check_kernel(release)
    assert str(caught.value) == f"this is kernel {release}: run a newer one (needs kernel 6.1)"
    assert (caught.value.feature, caught.value.since) == ("kernel", "6.1")


@pytest.mark.parametrize("release", ["6.1.0-56-amd64", "6.1", "6.10-rc1", "6.2+", "7.0.0"])
def test_a_kernel_from_the_floor_on_is_taken(release: str) -> None:
    """Whatever else its name says."""
    check_kernel(release)
    assert kernel_version(release) >= (6, 1)


@pytest.mark.parametrize("below", ["", "inner/axoneme"])
def test_a_directory_that_is_no_bpffs_is_named(node: Node, tmp_path: Path, below: str) -> None:
    """The error says how to mount one, and nothing is written there."""
    place = tmp_path / below
    with pytest.raises(DatapathError) as caught:
        node.call(Datapath.open, place)
    assert str(caught.value) == (f"{place} is not on a bpf file system: mount -t bpf bpf {place}")
    assert list(tmp_path.iterdir()) == []


def test_a_bpffs_that_was_unmounted_is_named(node: Node) -> None:
    """What is below its mount point is a directory of sysfs."""
    with suppress(OSError):  # until nothing is mounted there any more
        while True:
            node.call(umount, str(node.bpffs), MNT_DETACH)
    with pytest.raises(DatapathError, match=f"{node.bpffs} is not on a bpf file system"):
        node.call(Datapath.open, node.bpffs)


def test_a_directory_of_a_bpffs_will_do(node: Node) -> None:
    """It is made where it is missing."""
    datapath = node.call(Datapath.open, node.bpffs / "nodes" / "one")
    assert node.call((node.bpffs / "nodes/one/axoneme/maps").is_dir)
    node.call(datapath.remove)


def test_a_link_to_a_bpffs_will_do(node: Node, tmp_path: Path) -> None:
    """A path is followed to where it leads."""
    link = tmp_path / "bpf"
    link.symlink_to(node.bpffs)
    datapath = node.call(Datapath.open, link)
    node.call(datapath.remove)


@pytest.mark.parametrize("kept", [(), ("CAP_BPF",), ("CAP_NET_ADMIN",)], ids=str)
def test_without_privileges_the_missing_ones_are_named(node: Node, kept: tuple[str, ...]) -> None:
    """Before anything is made."""
    worker = node.worker("unprivileged")
    worker.call(keep_only, kept)
    with pytest.raises(DatapathError) as caught:
        worker.call(Datapath.open, node.bpffs)
    assert str(caught.value) == (
        "the kernel lets this process load no programs (Operation not permitted): run as root, "
        "or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    )
    assert not node.call((node.bpffs / "axoneme").exists)


def test_the_privileges_that_are_asked_for_are_enough_to_load(node: Node) -> None:
    """With the three of the message, and no others, trunks and plugins load and attach."""
    worker = node.worker("privileged")
    pod = node.add_pod()
    datapath = worker.call(Datapath.open, node.bpffs)
    worker.call(keep_only, ("CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"))
    assembly = worker.call(datapath.prepare, {"gate": [gate()]})
    assert assembly.refused == []
    worker.call(datapath.commit, assembly)
    worker.call(datapath.add_endpoint, pod.endpoint(1))
    node.call(datapath.remove)


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
@pytest.mark.parametrize("running", [False, True], ids=["restart", "swap"])
def test_a_map_of_another_layout_refuses_its_plugin(
    rig: Rig,
    matching: Callable[[str, str], None],
    other: dict[str, str],
    running: bool,
) -> None:
    """The reason names map and pin, and says how to give the change a number; others are used."""
    rig.put(box=box())
    if not running:
        rig.call(rig.datapath.close)
        rig.open()
    assembly = rig.prepare(good=idle(), box=box(**other))
    rig.call(rig.datapath.commit, assembly)
    (refused,) = assembly.refused
    matching(
        r"^map box_rows: .*/axoneme/maps/box_rows_v1 holds a map of another layout: give the "
        r"changed struct a new number \(AXN_LAYOUT\(2\)\), or remove the pin \(layout .*expected",
        refused.reason,
    )
    assert rig.datapath.assembly.lanes == {"policy": ("good",)}


def test_the_map_of_a_plugin_that_is_refused_is_kept(rig: Rig) -> None:
    """With its right object the plugin has its rows again."""
    rig.put(box=box())
    table = rig.datapath.table("box_rows", plugin_codec(box()))
    rig.call(table.write, [(7, {"a": 1, "b": 2})])
    rig.call(rig.datapath.commit, rig.prepare(box=box("__u64 a;")))
    rig.put(box=box())
    table = rig.datapath.table("box_rows", plugin_codec(box()))
    assert rig.call(table.get, 7) == {"a": 1, "b": 2}


def test_a_new_number_makes_a_new_map(rig: Rig) -> None:
    """The old one is there until the swap, and gone after it."""
    old, new = box(), box("__u64 a;", tag="AXN_LAYOUT(2)")
    rig.put(box=old)
    rig.call(rig.datapath.table("box_rows", plugin_codec(old)).write, [(7, {"a": 1, "b": 2})])
    assembly = rig.prepare(box=new)
    assert {"box_rows_v1", "box_rows_v2"} <= rig.maps()
    rig.call(rig.datapath.table("box_rows", plugin_codec(new)).write, [(7, {"a": 3})])
    assert rig.call(rig.datapath.table("box_rows", plugin_codec(old)).get, 7) == {"a": 1, "b": 2}
    rig.call(rig.datapath.commit, assembly)
    assert "box_rows_v1" not in rig.maps()
    assert rig.call(rig.datapath.table("box_rows", plugin_codec(new)).get, 7) == {"a": 3}


def test_a_codec_of_another_layout_is_refused(rig: Rig) -> None:
    """A plugin whose package is older than its object is told so."""
    rig.put(box=box())
    with pytest.raises(LayoutMismatch, match=r"map box_rows: codec_.* build the plugin again"):
        rig.datapath.table("box_rows", plugin_codec(box("__u32 a; __be32 b;")))


def test_a_map_that_is_not_there_names_the_nearest(rig: Rig) -> None:
    """A misspelt name is told the right one."""
    rig.put(box=box())
    with pytest.raises(DatapathError, match=r"no map endpoint is loaded; did you mean 'endpoints'"):
        rig.datapath.table("endpoint")


@pytest.mark.parametrize(
    ("name", "pin"), [("endpoints", "endpoints_v2"), ("reasons", "reasons_v1")]
)
def test_a_pin_of_cores_with_another_layout_is_named(rig: Rig, name: str, pin: str) -> None:
    """No plugin is to blame: the error says which pin it is."""
    rig.put(box=box())
    rig.call(_put_in_place_of, rig, "box_rows_v1", pin)
    with pytest.raises(LayoutMismatch, match=f"map {name}: .*/maps/{pin} holds a map"):
        _start(rig)
    rig.call((rig.datapath.pins.maps / pin).unlink)
    _start(rig)


def _put_in_place_of(rig: Rig, source: str, target: str) -> None:
    """Close the datapath, and have one map's pin where another's should be."""
    maps = rig.datapath.pins.maps
    rig.datapath.close()
    (maps / target).unlink()
    (maps / source).rename(maps / target)


def _start(rig: Rig) -> None:
    rig.open()
    rig.put()
