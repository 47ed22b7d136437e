# SPDX-License-Identifier: Apache-2.0
"""Taking the kernel out of a bzImage."""

from __future__ import annotations

import lzma
import shutil
import struct
import subprocess

import pytest
from tests.kernels.errors import SetupError
from tests.kernels.vmlinux import extract

KERNEL = b"\x7fELF" + bytes(range(256)) * 10


def bzimage(packed: bytes, size: int = len(KERNEL), setup_sectors: int = 3) -> bytes:
    """Build an image by the x86 boot protocol, its payload 100 bytes into the protected part."""
    payload = packed + struct.pack("<I", size)
    image = bytearray(((setup_sectors or 4) + 1) * 512 + 100)
    image[0x1F1] = setup_sectors
    image[0x202:0x206] = b"HdrS"
    image[0x248:0x250] = struct.pack("<II", 100, len(payload))
    return bytes(image) + payload + b"what follows"


@pytest.mark.parametrize("setup_sectors", [0, 3, 39])
def test_a_kernel_packed_by_xz_comes_out(setup_sectors: int) -> None:
    """Zero setup sectors mean four."""
    assert extract(bzimage(lzma.compress(KERNEL), setup_sectors=setup_sectors)) == KERNEL


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_a_kernel_packed_by_zstd_comes_out() -> None:
    """6.12 is packed so."""
    packed = subprocess.run(["zstd", "-cq"], input=KERNEL, check=True, capture_output=True).stdout
    assert extract(bzimage(packed)) == KERNEL


def test_a_file_that_is_no_bzimage_is_refused() -> None:
    """An ELF kernel, for one."""
    with pytest.raises(SetupError, match="HdrS"):
        extract(KERNEL)


def test_an_unknown_packing_is_refused_with_its_first_bytes() -> None:
    """They tell which packer it was."""
    with pytest.raises(SetupError, match="BZh9"):
        extract(bzimage(b"BZh91AY"))


def test_a_kernel_of_another_size_than_promised_is_refused() -> None:
    """A truncated kernel would not boot and not say why."""
    with pytest.raises(SetupError, match=f"{len(KERNEL)} bytes, not to an ELF file of 7"):
        extract(bzimage(lzma.compress(KERNEL), size=7))


def test_a_payload_that_is_no_elf_file_is_refused() -> None:
    """QEMU would take it for something else."""
    with pytest.raises(SetupError, match="not to an ELF file"):
        extract(bzimage(lzma.compress(b"text"), size=4))
