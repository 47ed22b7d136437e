# SPDX-License-Identifier: Apache-2.0
"""Writes the guest's initramfs: busybox, /init, and the modules that lead to the host's files."""

from __future__ import annotations

import lzma
import shlex
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: What the guest needs before it can read the host's files; any may be built into the kernel.
BOOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")

INIT = Path(__file__).parent / "guest" / "init"

DIRECTORY, FILE = 0o040755, 0o100755


def build(tree: Path, busybox: Path, settings: Mapping[str, str]) -> bytes:
    """Make the archive for one boot from a kernel's module tree; init reads the settings."""
    order = load_order((tree / "modules.dep").read_text(), BOOT_MODULES)
    modules = {f"modules/{name}": data for name, data in _read_modules(tree, order)}
    return archive(
        {
            "init": INIT.read_bytes(),
            "bin/busybox": busybox.read_bytes(),
            "settings": "".join(
                f"{name}={shlex.quote(value)}\n" for name, value in settings.items()
            ).encode(),
            "modules.order": "\n".join(modules).encode() + b"\n",
            **modules,
        }
    )


def load_order(modules_dep: str, wanted: Iterable[str]) -> list[str]:
    """Order the wanted modules' files so that each comes after those it depends on."""
    depends = dict(_parse_dependencies(modules_dep))
    paths = {_module_name(path): path for path in depends}
    order: list[str] = []
    for name in wanted:
        if name not in paths:
            continue
        # modules.dep lists what a module needs, in the order of removal.
        for path in (*reversed(depends[paths[name]]), paths[name]):
            if path not in order:
                order.append(path)
    return order


def archive(files: Mapping[str, bytes]) -> bytes:
    """Pack files, all executable and root's, as a cpio archive in the format newc."""
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents}
    entries = [(name, DIRECTORY, b"") for name in sorted(folders - {"."})]
    entries += [(name, FILE, data) for name, data in files.items()]
    packed = [_entry(i, *entry) for i, entry in enumerate(entries, 1)]
    return b"".join([*packed, _entry(0, "TRAILER!!!", 0, b"")])


def _parse_dependencies(modules_dep: str) -> Iterator[tuple[str, list[str]]]:
    for line in modules_dep.splitlines():
        path, _, needs = line.partition(":")
        yield path, needs.split()


def _module_name(path: str) -> str:
    return PurePosixPath(path).name.partition(".")[0].replace("-", "_")


def _read_modules(tree: Path, order: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for path in order:
        data = (tree / path).read_bytes()
        # busybox's insmod loads no packed module.
        yield f"{_module_name(path)}.ko", lzma.decompress(data) if path.endswith(".xz") else data


def _entry(inode: int, name: str, mode: int, data: bytes) -> bytes:
    path = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _pad(header + path) + _pad(data)


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
