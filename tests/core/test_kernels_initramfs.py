# SPDX-License-Identifier: Apache-2.0
"""The archive that a guest starts from."""

from __future__ import annotations

import lzma
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.kernels.initramfs import archive, build, load_order

if TYPE_CHECKING:
    from pathlib import Path

MODULES_DEP = """\
kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz
kernel/net/9p/9pnet.ko.xz:
kernel/fs/netfs/netfs.ko.xz:
kernel/net/9p/9pnet-virtio.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/virtio/virtio.ko.xz:
"""


def test_each_module_comes_after_what_it_needs() -> None:
    """insmod resolves no dependencies."""
    assert load_order(MODULES_DEP, ["9p"]) == [
        "kernel/fs/netfs/netfs.ko.xz",
        "kernel/net/9p/9pnet.ko.xz",
        "kernel/fs/9p/9p.ko.xz",
    ]


def test_a_module_is_loaded_once() -> None:
    """A second insmod fails."""
    order = load_order(MODULES_DEP, ["9p", "9pnet_virtio", "9p"])
    assert len(order) == len(set(order)) == 5


def test_a_module_may_be_built_into_the_kernel() -> None:
    """Then modules.dep does not name it."""
    assert load_order(MODULES_DEP, ["overlay"]) == []


def read_archive(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Read an archive in cpio's format newc: name to mode and content."""
    entries: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return entries
        entries[name] = (mode, data[start : start + size])
        at = (start + size + 3) // 4 * 4


@pytest.mark.parametrize("size", range(5))
def test_the_archive_pads_names_and_contents(size: int) -> None:
    """Every header stands at a multiple of four."""
    files = {"a": b"x" * size, "bc": b"y"}
    assert {n: d for n, (_, d) in read_archive(archive(files)).items()} == files


def test_the_archive_has_each_directory_before_its_files() -> None:
    """The kernel makes none by itself."""
    entries = read_archive(archive({"bin/tools/sh": b""}))
    assert [(name, oct(mode)) for name, (mode, _) in entries.items()] == [
        ("bin", "0o40755"),
        ("bin/tools", "0o40755"),
        ("bin/tools/sh", "0o100755"),
    ]


@pytest.fixture
def entries(tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    """An initramfs over a module tree that holds 9p and what it needs."""
    (tmp_path / "modules.dep").write_text(MODULES_DEP)
    for line in MODULES_DEP.splitlines():
        path = tmp_path / line.partition(":")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress(path.name.encode()))
    (tmp_path / "busybox").write_bytes(b"busybox")
    return read_archive(build(tmp_path, tmp_path / "busybox", {"share": "/tmp/it's here"}))


def test_modules_are_unpacked_and_listed_in_order(entries: dict[str, tuple[int, bytes]]) -> None:
    """busybox's insmod reads no .xz."""
    order = entries["modules.order"][1].decode().split()
    assert order == [
        f"modules/{name}.ko" for name in ("virtio", "9pnet", "9pnet_virtio", "netfs", "9p")
    ]
    assert entries["modules/9p.ko"][1] == b"9p.ko.xz"


def test_the_guests_shell_reads_the_settings_as_they_were_given(
    entries: dict[str, tuple[int, bytes]],
) -> None:
    """A path may hold what a shell would take for its own."""
    script = entries["settings"][1].decode() + 'printf %s "$share"'
    said = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    assert said.stdout == "/tmp/it's here"
