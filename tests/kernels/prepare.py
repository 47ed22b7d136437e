# SPDX-License-Identifier: Apache-2.0
"""Prepares a kernel once: its vmlinux, modules and a busybox, cached outside of the checkout.

A folder of the cache is named for its concrete package and is complete when it is there: it is
built beside and then renamed, so that several runs may prepare the same kernel at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import packages, vmlinux
from .errors import SetupError


@dataclass(frozen=True)
class Kernel:
    """A kernel that is ready to boot."""

    series: str
    folder: Path

    @property
    def package(self) -> str:
        """The concrete Debian package that it came from."""
        return self.folder.name

    @property
    def vmlinux(self) -> Path:
        """The unpacked kernel, an ELF file."""
        return self.folder / "vmlinux"

    @property
    def busybox(self) -> Path:
        """The static busybox for the guest's first steps."""
        return self.folder / "busybox"

    @property
    def modules(self) -> Path:
        """What stands in for /lib/modules."""
        return self.folder / "modules"

    @property
    def module_tree(self) -> Path:
        """The modules of this kernel's release."""
        return next(self.modules.iterdir())


def prepare(series: str) -> Kernel:
    """Find the newest kernel of a series, downloading and unpacking it if it is not cached."""
    package = packages.resolve(series)
    folder = cache_folder() / package
    if not folder.exists():
        folder = _build(series, package)
    return Kernel(series, folder)


def cache_folder() -> Path:
    """Where prepared kernels are kept; it may be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "axoneme" / "kernels"


def _build(series: str, package: str) -> Path:
    print(f"kernels: preparing {package}, once", flush=True)
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=cache) as scratch:
        work = Path(scratch)
        package = _download(series, package, work / "kernel")
        packages.unpack(packages.BUSYBOX, work / "busybox")
        _assemble(work, work / "done")
        return _publish(work / "done", cache / package)


def _download(series: str, package: str, into: Path) -> str:
    """Unpack the kernel's package, or its successor when the archive has dropped it."""
    try:
        packages.unpack(package, into)
    except SetupError:
        shutil.rmtree(into)
        packages.update()
        package = packages.resolve(series)
        packages.unpack(package, into)
    return package


def _assemble(work: Path, done: Path) -> None:
    done.mkdir()
    (image,) = (work / "kernel" / "boot").glob("vmlinuz-*")
    (done / "vmlinux").write_bytes(vmlinux.extract(image.read_bytes()))
    release = image.name.removeprefix("vmlinuz-")
    _index_modules(work / "kernel", release)
    (work / "kernel" / "lib" / "modules").rename(done / "modules")
    (work / "busybox" / "bin" / "busybox").rename(done / "busybox")


def _index_modules(root: Path, release: str) -> None:
    """Write modules.dep and its kin, which the package leaves to its installation."""
    try:
        result = subprocess.run(
            ["depmod", "-b", root, release], check=False, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        raise SetupError("depmod is missing: install kmod") from error
    if result.returncode:
        raise SetupError(f"depmod failed for {release}: {result.stderr.strip()}")


def _publish(done: Path, folder: Path) -> Path:
    try:
        done.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        # Another run was quicker: its folder is as good.
    return folder
