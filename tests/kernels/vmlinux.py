# SPDX-License-Identifier: Apache-2.0
"""Takes the ELF vmlinux out of a bzImage: booting it saves the guest its own decompression."""

from __future__ import annotations

import lzma
import struct
import subprocess

from .errors import SetupError

#: Where the x86 boot protocol keeps its fields (Documentation/arch/x86/boot.rst).
SETUP_SECTORS = 0x1F1
MAGIC = 0x202
PAYLOAD = 0x248  # payload_offset and payload_length

SECTOR = 512
SIZE_FIELD = 4  # the unpacked size, appended to the packed payload


def extract(image: bytes) -> bytes:
    """Unpack the kernel inside a bzImage."""
    if image[MAGIC : MAGIC + 4] != b"HdrS":
        raise SetupError(
            "the kernel image is no bzImage: the boot protocol's magic HdrS is missing"
        )
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    start = ((image[SETUP_SECTORS] or 4) + 1) * SECTOR + offset
    payload = image[start : start + length]
    (size,) = struct.unpack("<I", payload[-SIZE_FIELD:])
    kernel = _decompress(payload[:-SIZE_FIELD])
    if len(kernel) != size or not kernel.startswith(b"\x7fELF"):
        raise SetupError(
            f"the bzImage unpacks to {len(kernel)} bytes, not to an ELF file of {size}"
        )
    return kernel


def _decompress(payload: bytes) -> bytes:
    if payload.startswith(b"\xfd7zXZ\0"):
        return lzma.decompress(payload)
    if payload.startswith(b"\x28\xb5\x2f\xfd"):
        return _unzstd(payload)
    raise SetupError(
        f"the bzImage is packed by neither xz nor zstd: it begins with {payload[:6]!r}"
    )


def _unzstd(payload: bytes) -> bytes:
    try:
        result = subprocess.run(["zstd", "-dcq"], input=payload, check=False, capture_output=True)
    except FileNotFoundError as error:
        raise SetupError("zstd is missing, and the kernel is packed by it: install zstd") from error
    return result.stdout
