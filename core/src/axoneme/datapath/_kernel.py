# SPDX-License-Identifier: Apache-2.0
"""The kernel's objects as values, over the compiled module: errors raised, names decoded."""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, Any

from attrs import frozen

from axoneme._bpf import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Iterator

_messages = local()


@ffi.def_extern()  # type: ignore[untyped-decorator]
def axn_log(level: int, text: Any) -> None:  # noqa: ARG001 - the callback's signature
    """Libbpf's warnings, kept for the error that follows them."""
    kept = getattr(_messages, "kept", None)
    if kept is not None:
        kept.append(ffi.string(text).decode(errors="replace").removeprefix("libbpf: ").rstrip())


lib.axn_log_to(lib.axn_log, lib.LIBBPF_WARN)


@contextmanager
def libbpf_messages() -> Iterator[list[str]]:
    """What libbpf warns of in this thread meanwhile, a line each."""
    outer = getattr(_messages, "kept", None)
    kept: list[str] = []
    _messages.kept = kept
    try:
        yield kept
    finally:
        _messages.kept = outer


def check(code: int) -> int:
    """The result of a call that returns -errno, as OSError if it failed."""
    if code < 0:
        raise OSError(-code, os.strerror(-code))
    return code


def text_of(chars: Any) -> str:
    """A C string of a kernel structure."""
    return str(ffi.string(chars).decode(errors="replace"))


@frozen
class ProgramInfo:
    """A loaded program; sizes in bytes, verified_insns as the verifier counted them."""

    id: int
    name: str
    type: int
    verified_insns: int
    xlated_size: int
    jited_size: int
    btf_id: int


@frozen
class MapInfo:
    """A map and, where the kernel has it, the BTF of its key and value."""

    id: int
    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    btf_id: int
    key_type: int
    value_type: int


@frozen
class LinkInfo:
    """A link; ifindex is 0 when it is detached or its device is gone."""

    id: int
    type: int
    program_id: int
    ifindex: int
    cgroup_id: int


def program_info(fd: int) -> ProgramInfo:
    """What the kernel says of a program."""
    info = ffi.new("struct axn_prog_info *")
    check(lib.axn_prog_info(fd, info, ffi.NULL, 0))
    return ProgramInfo(
        info.id,
        text_of(info.name),
        info.type,
        info.verified_insns,
        info.xlated_size,
        info.jited_size,
        info.btf_id,
    )


def map_info(fd: int) -> MapInfo:
    """What the kernel says of a map."""
    info = ffi.new("struct axn_map_info *")
    check(lib.axn_map_info(fd, info))
    return MapInfo(
        info.id,
        text_of(info.name),
        info.type,
        info.key_size,
        info.value_size,
        info.max_entries,
        info.flags,
        info.btf_id,
        info.btf_key_type_id,
        info.btf_value_type_id,
    )


def link_info(fd: int) -> LinkInfo:
    """What the kernel says of a link."""
    info = ffi.new("struct axn_link_info *")
    check(lib.axn_link_info(fd, info))
    return LinkInfo(info.id, info.type, info.prog_id, info.ifindex, info.cgroup_id)


def btf_bytes(btf_id: int) -> bytes:
    """The BTF that the kernel keeps under an id."""
    fd = check(lib.bpf_btf_get_fd_by_id(btf_id))
    try:
        size = ffi.new("uint32_t *", 0)
        check(lib.axn_btf_read(fd, ffi.NULL, size, ffi.NULL, ffi.NULL, 0))
        data = ffi.new("char[]", size[0])
        check(lib.axn_btf_read(fd, data, size, ffi.NULL, ffi.NULL, 0))
        return bytes(ffi.buffer(data, size[0]))
    finally:
        os.close(fd)


def program_name(program_id: int) -> str:
    """The name of a program by its id, or nothing when it is gone."""
    fd = lib.bpf_prog_get_fd_by_id(program_id)
    if fd < 0:
        return ""
    try:
        return program_info(fd).name
    finally:
        os.close(fd)
