# SPDX-License-Identifier: Apache-2.0
"""What this kernel can do, found by trying, never by its version.

Names of features
    tcx, xdp_link, cgroup_link          attachment by bpf links
    map:<type>                          map:lpm_trie, map:ringbuf, ... as in enum bpf_map_type
    prog:<type>                         prog:sched_cls, prog:sk_lookup, ... as in enum bpf_prog_type
    helper:<program type>:<name>        helper:sched_cls:redirect_peer
"""

from __future__ import annotations

import errno
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from axoneme._bpf import ffi, lib
from axoneme.errors import NotSupported
from axoneme_sdk.btf import Btf

if TYPE_CHECKING:
    from collections.abc import Callable

#: The oldest kernel on which the datapath is run by the tests.
KERNEL_FLOOR = (6, 1)
_LOOPBACK = 1
_TARGET_BTF = Path("/sys/kernel/btf/vmlinux")

#: The first kernel that has a feature: for messages, and to find skips that should not be.
SINCE = {
    "tcx": (6, 6),
    "xdp_link": (5, 9),
    "cgroup_link": (5, 7),
    "map:lpm_trie": (4, 11),
    "map:ringbuf": (5, 8),
    "prog:sk_lookup": (5, 9),
    "helper:sched_cls:redirect_peer": (5, 10),
}


def kernel_version(release: str | None = None) -> tuple[int, int]:
    """The first two numbers of a kernel's release, of this kernel's by default."""
    major, minor = (release or os.uname().release).split(".")[:2]
    return int(major), int("".join(c for c in minor if c.isdigit()))


@cache
def supported(feature: str) -> bool:
    """Whether this kernel has the feature.

    Raises:
        NotSupported: the name is of no feature that can be tried.
        OSError: the kernel could not be asked, as without privileges.
    """
    simple = _SIMPLE.get(feature)
    if simple is not None:
        return simple()
    kind, _, name = feature.partition(":")
    if kind in {"map", "prog"}:
        return _probe_type(kind, name)
    if kind == "helper":
        program, _, helper = name.partition(":")
        return _probe_helper(program, helper)
    raise NotSupported(
        f"there is no feature {feature!r}: write {', '.join(sorted(_SIMPLE))}, map:<type>, "
        "prog:<type> or helper:<program type>:<name>",
        feature=feature,
    )


def feature_since(feature: str) -> tuple[int, int] | None:
    """The first kernel that has a feature, where it is known."""
    return SINCE.get(feature)


def require(feature: str) -> None:
    """Raise NotSupported if this kernel lacks the feature."""
    if not supported(feature):
        since = SINCE.get(feature)
        text = f"{since[0]}.{since[1]}" if since else ""
        raise NotSupported(f"this kernel lacks {feature}", feature=feature, since=text)


def _tcx() -> bool:
    count = ffi.new("uint32_t *", 0)
    result = lib.axn_prog_query(
        _LOOPBACK, lib.AXN_TCX_INGRESS, 0, ffi.NULL, ffi.NULL, count, ffi.NULL, ffi.NULL
    )
    return _answer(result)


def _link(attach_type: int) -> bool:
    """A link of nothing: EBADF from a kernel that knows the attach type, EINVAL from others."""
    result = lib.axn_link_create(-1, -1, attach_type, 0, 0, 0)
    return _answer(0 if result == -errno.EBADF else result)


def _answer(result: int) -> bool:
    """A probe's result: below 0 is no, unless the kernel did not let us ask."""
    if result == -errno.EPERM:
        raise OSError(errno.EPERM, "probing this kernel needs CAP_BPF and CAP_NET_ADMIN")
    return result >= 0


def _probed(result: int) -> bool:
    """The result of libbpf's probes: 1 yes, 0 no."""
    return _answer(result) and result == 1


@cache
def _numbers(enum: str) -> dict[str, int]:
    return Btf(_TARGET_BTF.read_bytes()).enumerators(enum)


def _probe_type(kind: str, name: str) -> bool:
    number = _numbers(f"bpf_{kind}_type").get(f"BPF_{kind.upper()}_TYPE_{name.upper()}")
    if number is None:
        return False
    return _probed(getattr(lib, f"libbpf_probe_bpf_{kind}_type")(number, ffi.NULL))


def helper_names() -> dict[int, str]:
    """The names of this kernel's helpers by their numbers."""
    prefix = "BPF_FUNC_"
    return {n: name.removeprefix(prefix) for name, n in _numbers("bpf_func_id").items()}


def map_type_names() -> dict[int, str]:
    """The names of map types by their numbers, as far as core knows them."""
    prefix = "BPF_MAP_TYPE_"
    names = [name for name in dir(lib) if name.startswith(prefix)]
    return {getattr(lib, name): name.removeprefix(prefix).lower() for name in names}


def _probe_helper(program: str, helper: str) -> bool:
    types, helpers = _numbers("bpf_prog_type"), _numbers("bpf_func_id")
    type_ = types.get(f"BPF_PROG_TYPE_{program.upper()}")
    number = helpers.get(f"BPF_FUNC_{helper}")
    if type_ is None or number is None:
        return False
    return _probed(lib.libbpf_probe_bpf_helper(type_, number, ffi.NULL))


_SIMPLE: dict[str, Callable[[], bool]] = {
    "tcx": _tcx,
    "xdp_link": lambda: _link(lib.BPF_XDP),
    "cgroup_link": lambda: _link(lib.BPF_CGROUP_INET4_CONNECT),
}
